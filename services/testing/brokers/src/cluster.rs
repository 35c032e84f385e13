//! A Kafka cluster of one or three combined nodes (KRaft) on 127.0.0.1, made for one purpose and thrown away. Nodes can
//! be killed, halted and restarted; configuration beyond the properties file is the caller's.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::signal::Signal;

use crate::node::{Installation, Node};
use crate::properties::{self, Address};
use crate::reaper::Reaper;
use crate::{jars, java, ports, probe};

/// Generous, for two cores that compile something at the same time.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// The same for a node that was killed: it looks through every log that it has, and the longer a chaos run the more there is.
const RESTART_TIMEOUT: Duration = Duration::from_secs(600);
const PROBE_INTERVAL: Duration = Duration::from_millis(50);

/// Set to anything to keep a cluster's files after it has ended.
const KEEP_VARIABLE: &str = "HOOKLINE_KEEP_KAFKA";

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// 1 or 3.
    pub nodes: u8,
    /// Further lines of each `server.properties`; they win over ours.
    pub extra_properties: Vec<(String, String)>,
    /// Where to keep the data, and leave it; else a temporary directory that is removed at the end.
    pub dir: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 1,
            extra_properties: Vec::new(),
            dir: None,
        }
    }
}

/// A running cluster. Dropping it kills its processes and removes its files; so does the end of this process, however
/// it comes about.
#[derive(Debug)]
pub struct Cluster {
    bootstrap: String,
    nodes: Vec<Node>,
    reaper: Reaper,
}

impl Cluster {
    /// Starts the nodes and waits until each of them sees all of them.
    pub fn start(options: Options) -> anyhow::Result<Self> {
        ensure!(
            matches!(options.nodes, 1 | 3),
            "a cluster has 1 or 3 nodes, not {}",
            options.nodes
        );
        let installation = Installation {
            jars: jars::ensure()?,
            java: java::ensure()?,
            jvm_options: match options.nodes {
                // All tests of a workspace leave 15,000 partitions on it, of about 25 KB each. A heap that is nearly full
                // shows as brokers that don't answer for half a minute.
                1 => &["-Xms256m", "-Xmx1g"],
                _ => &["-Xms192m", "-Xmx384m", "-XX:+UseSerialGC"],
            },
        };
        let first_try = Self::start_once(&options, &installation);
        match first_try {
            // Somebody took a port between our look and the broker's bind.
            Err(error) if options.dir.is_none() && format!("{error:#}").contains("Address already in use") => {
                Self::start_once(&options, &installation)
            }
            result => result,
        }
    }

    fn start_once(options: &Options, installation: &Installation) -> anyhow::Result<Self> {
        let (dir, last_command) = match &options.dir {
            Some(dir) => (std::path::absolute(dir)?, Vec::new()),
            None => {
                let dir = tempfile::Builder::new().prefix("hookline-kafka-").tempdir()?.keep();
                let remove = vec!["rm".into(), "-rf".into(), "--".into(), dir.clone().into_os_string()];
                (
                    dir,
                    if std::env::var_os(KEEP_VARIABLE).is_some() {
                        Vec::new()
                    } else {
                        remove
                    },
                )
            }
        };
        let reaper = Reaper::start(&last_command)?;
        let addresses = addresses(options.nodes)?;
        let nodes = addresses
            .iter()
            .map(|address| {
                let dir = dir.join(format!("node-{}", address.node_id));
                Node::prepare(
                    installation.clone(),
                    dir,
                    address.clone(),
                    &addresses,
                    &options.extra_properties,
                )
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let bootstrap: Vec<_> = addresses
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.client_port))
            .collect();
        let cluster = Self {
            bootstrap: bootstrap.join(","),
            nodes,
            reaper,
        };
        cluster.format(&addresses)?;
        for node in &cluster.nodes {
            node.spawn(&cluster.reaper)?;
        }
        for node in &cluster.nodes {
            cluster.await_answer(node, START_TIMEOUT)?;
        }
        Ok(cluster)
    }

    /// `host:port,…` of all nodes, running or not.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The ids of the nodes: 1, or 1 to 3.
    pub fn node_ids(&self) -> Vec<u8> {
        self.nodes.iter().map(|node| node.address.node_id).collect()
    }

    /// SIGKILL to a node, and waits for its end. Killing what is down already does nothing.
    pub fn kill(&self, node_id: u8) -> anyhow::Result<()> {
        self.node(node_id)?.kill(&self.reaper)
    }

    /// Starts a node that was killed, on its old ports and data, and waits until it sees all running nodes.
    pub fn restart(&self, node_id: u8) -> anyhow::Result<()> {
        let node = self.node(node_id)?;
        node.spawn(&self.reaper)?;
        self.await_answer(node, RESTART_TIMEOUT)
    }

    /// SIGSTOP: the node keeps its connections and answers nothing, as in a long pause of its machine.
    pub fn halt(&self, node_id: u8) -> anyhow::Result<()> {
        self.node(node_id)?.signal(Signal::SIGSTOP)
    }

    /// SIGCONT to a halted node.
    pub fn resume(&self, node_id: u8) -> anyhow::Result<()> {
        self.node(node_id)?.signal(Signal::SIGCONT)
    }

    fn node(&self, node_id: u8) -> anyhow::Result<&Node> {
        let node = self.nodes.iter().find(|node| node.address.node_id == node_id);
        node.with_context(|| format!("there is no node {node_id}: nodes are {:?}", self.node_ids()))
    }

    fn format(&self, addresses: &[Address]) -> anyhow::Result<()> {
        let cluster_id = properties::random_id();
        let mut running = Vec::new();
        for node in &self.nodes {
            let child = node.format(&cluster_id, addresses)?;
            self.reaper.watch(child.id().cast_signed())?;
            running.push((node, child));
        }
        for (node, mut child) in running {
            let status = child.wait()?;
            self.reaper.forget(child.id().cast_signed())?;
            ensure!(
                status.success(),
                "formatting node {}: {status}\n{}",
                node.address.node_id,
                node.log_tail()
            );
        }
        Ok(())
    }

    /// Until `node` answers and knows itself and as many brokers as are running.
    fn await_answer(&self, node: &Node, patience: Duration) -> anyhow::Result<()> {
        let (node_id, deadline) = (node.address.node_id, Instant::now() + patience);
        loop {
            if let Some(status) = node.ended()? {
                bail!(
                    "kafka node {node_id} ended with {status} at its start:\n{}",
                    node.log_tail()
                );
            }
            let wanted = self.nodes.iter().filter(|node| node.is_running()).count();
            match probe::brokers_seen_by(node.address.client_port) {
                Ok(seen) if seen.len() >= wanted && seen.contains(&i32::from(node_id)) => {
                    return Ok(());
                }
                answer if Instant::now() > deadline => bail!(
                    "kafka node {node_id} did not see {wanted} brokers within {} s; its last answer: {answer:?}\n{}",
                    patience.as_secs(),
                    node.log_tail()
                ),
                _ => std::thread::sleep(PROBE_INTERVAL),
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &self.nodes {
            // What can't be killed here the reaper kills, right after this.
            let _ = node.kill(&self.reaper);
        }
    }
}

fn addresses(nodes: u8) -> anyhow::Result<Vec<Address>> {
    let ports = ports::free(usize::from(nodes) * 2)?;
    let pairs = (1..=nodes).zip(ports.chunks_exact(2));
    Ok(pairs
        .map(|(node_id, pair)| Address {
            node_id,
            client_port: pair[0],
            controller_port: pair[1],
            directory_id: properties::random_id(),
        })
        .collect())
}
