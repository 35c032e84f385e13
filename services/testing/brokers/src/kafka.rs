//! Where a Kafka for tests comes from: an existing one, Docker Compose, or jars started here. Not for tests that kill
//! brokers: those start a [`Cluster`] of their own.

use std::sync::{Mutex, PoisonError};

use anyhow::Context;

use crate::cluster::{Cluster, Options};
use crate::compose::Compose;

/// Names the brokers to use (`host:port,…`) instead of starting any.
pub const BOOTSTRAP_VARIABLE: &str = "KAFKA_BROKERS";

/// A Kafka that answers. What was started for it ends when this is dropped, or when the process ends.
#[derive(Debug)]
pub struct Kafka {
    bootstrap: String,
    source: Source,
}

#[derive(Debug)]
enum Source {
    External,
    Compose { _running: Compose },
    Jars { _running: Cluster },
}

impl Kafka {
    /// Uses `KAFKA_BROKERS` when it is set; else Docker Compose when one node is asked for and a daemon answers; else
    /// real Apache Kafka from cached jars, with `nodes` (1 or 3) of them.
    pub fn obtain(nodes: u8) -> anyhow::Result<Self> {
        if let Some(bootstrap) = external_bootstrap() {
            return Ok(Self {
                bootstrap,
                source: Source::External,
            });
        }
        if nodes == 1 && Compose::daemon_answers() {
            match Compose::start() {
                Ok(compose) => {
                    return Ok(Self {
                        bootstrap: compose.bootstrap().to_owned(),
                        source: Source::Compose { _running: compose },
                    });
                }
                Err(error) => {
                    eprintln!("kafka: docker compose did not work, using jars instead: {error:#}")
                }
            }
        }
        // Nobody kills these nodes. On a machine that is too busy to let one send a heartbeat in time, its own controller
        // would fence it, and its partitions were without a leader for as long as a minute.
        let session = ("broker.session.timeout.ms".to_owned(), "60000".to_owned());
        let cluster = Cluster::start(Options {
            nodes,
            extra_properties: vec![session],
            ..Options::default()
        })?;
        Ok(Self {
            bootstrap: cluster.bootstrap().to_owned(),
            source: Source::Jars { _running: cluster },
        })
    }

    /// `host:port,…` for a client's `bootstrap.servers`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// How it came to be, for a line of output.
    pub fn description(&self) -> &'static str {
        match self.source {
            Source::External => "the brokers that KAFKA_BROKERS names",
            Source::Compose { .. } => "Docker Compose",
            Source::Jars { .. } => "Apache Kafka from jars",
        }
    }
}

/// The bootstrap servers of one single-node Kafka that everything in this process shares, started at the first call.
/// It ends with the process.
pub fn shared_bootstrap() -> anyhow::Result<String> {
    static SHARED: Mutex<Option<Kafka>> = Mutex::new(None);
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if shared.is_none() {
        *shared = Some(Kafka::obtain(1).context("no Kafka for the tests")?);
    }
    Ok(shared.as_ref().expect("it was set just above").bootstrap.clone())
}

fn external_bootstrap() -> Option<String> {
    std::env::var(BOOTSTRAP_VARIABLE)
        .ok()
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}
