//! The stage: an installation on Kafka, its roles as processes, receivers, tenants and endpoints, all made as users make
//! them. And its end.

use std::net::Ipv4Addr;

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt};
use harness::{Hook, Installation, Options, Process, Receiver, Trap};
use kafka_log::Admin;
use serde_json::{Value, json};

use crate::cast::{self, CASELINE, ENDPOINTS, TENANTS};

/// Outside the network that the processes are allowed.
const FORBIDDEN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SOURCE_PARTITIONS: i32 = 4;
/// Commands of the real binary that run at the same time.
const COMMANDS_AT_ONCE: usize = 4;
/// Name and roles of each process.
const PROCESSES: [(&str, &str); 4] = [
    ("fanout", "fanout"),
    ("dispatcher-1", "dispatcher"),
    ("dispatcher-2", "dispatcher"),
    ("scheduler", "scheduler"),
];

/// An endpoint that was made, and its receiver.
pub struct Endpoint {
    pub plan: cast::Endpoint,
    pub id: String,
    pub hook: Hook,
}

pub struct Stage {
    pub endpoints: Vec<Endpoint>,
    processes: Vec<Process>,
    receiver: Receiver,
    /// Of the endpoint that is down.
    broken_receiver: Receiver,
    /// Where no request may go.
    trap: Trap,
    installation: Installation,
}

impl Stage {
    /// Everything up to the first event.
    pub async fn set() -> anyhow::Result<Self> {
        let mut installation = Installation::without_topics(
            Options::new("demo")
                .set("delivery.retry_schedule_sec", cast::RETRY_SCHEDULE)
                .set("auto_disable.failures", cast::DISABLED_AFTER_FAILURES)
                .set("auto_disable.without_success_sec", cast::DISABLED_AFTER_SEC)
                .set("egress.allow_networks", cast::ALLOWED_NETWORK)
                .set("kafka.lanes", "8"),
        )
        .await?;
        let names = installation.names();
        let cases = format!("{}cases", names.prefix());
        let sources = json!([
            { "topic": names.events(), "tenant": "field" },
            { "topic": cases, "format": "event_payload", "tenant": format!("fixed:{CASELINE}") },
        ]);
        installation.set("sources", sources.to_string());
        println!(
            "Kafka      {}, every topic and group under the prefix {}",
            installation.brokers(),
            names.prefix()
        );
        make_topics(&installation, &[&names.events(), &cases]).await?;

        let mut processes = vec![installation.serve("api", &["api"]).await?];
        for (name, role) in PROCESSES {
            processes.push(installation.start_process(name, &[role], &[])?);
        }
        let (receiver, broken_receiver, trap) =
            (Receiver::start().await?, Receiver::down()?, Trap::set(FORBIDDEN).await?);
        make_tenants(&installation).await?;
        let endpoints = make_endpoints(&installation, [&receiver, &broken_receiver], &trap).await?;
        for process in &mut processes {
            process.ready().await?;
        }
        let shown: Vec<_> = processes
            .iter()
            .map(|process| format!("{} ({})", process.name(), process.pid()))
            .collect();
        println!("Processes  {}", shown.join(", "));
        println!(
            "Tenants    {}",
            TENANTS
                .map(|tenant| format!("{} ({})", tenant.name, tenant.catalogs.join(" + ")))
                .join(", ")
        );
        let dedicated = endpoints
            .iter()
            .filter(|endpoint| endpoint.plan.placement == "dedicated")
            .count();
        println!(
            "Endpoints  {}, made with `hookline endpoint create --direct`; {dedicated} have a topic of their own, {} share the lanes",
            endpoints.len(),
            endpoints.len() - dedicated
        );
        println!(
            "Receivers  HTTP servers of this process; each verifies every signature with the `standardwebhooks` crate (v1a: with ed25519-dalek)"
        );
        Ok(Self {
            endpoints,
            processes,
            receiver,
            broken_receiver,
            trap,
            installation,
        })
    }

    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The endpoint with this name.
    pub fn endpoint(&self, name: &str) -> &Endpoint {
        let found = self.endpoints.iter().find(|endpoint| endpoint.plan.name == name);
        found.expect("every endpoint of the cast was made")
    }

    /// Connections that came to the forbidden address.
    pub fn trapped(&self) -> usize {
        self.trap.connections()
    }

    /// The source topic for everything that says its tenant.
    pub fn events_topic(&self) -> String {
        self.installation.names().events()
    }

    /// The source topic of the case events.
    pub fn cases_topic(&self) -> String {
        format!("{}cases", self.installation.names().prefix())
    }

    /// Lets the endpoint that was down listen.
    pub async fn repair(&mut self) -> anyhow::Result<()> {
        self.broken_receiver.come_up().await
    }

    /// SIGTERM to every process; each must drain and end with exit status 0. What went wrong, in words.
    pub async fn end_processes(&mut self) -> Vec<String> {
        let (mut took, mut wrong) = (Vec::new(), Vec::new());
        // The clerk goes last: the others may still want to be heard.
        for process in self.processes.iter_mut().rev() {
            match process.terminate().await {
                Ok(elapsed) => took.push(format!("{} {:.1} s", process.name(), elapsed.as_secs_f64())),
                Err(error) => wrong.push(format!("{error:#}")),
            }
        }
        println!(
            "\nSIGTERM to every process. Drained and ended with exit status 0: {}",
            took.join(", ")
        );
        wrong
    }

    pub fn keep_logs(&mut self) {
        self.installation.keep_logs();
        eprintln!(
            "demo: the logs of the processes are in {}",
            self.installation.log_dir().display()
        );
    }

    /// Cleans up; the logs stay when something was wrong.
    pub async fn strike(mut self, all_good: bool) -> anyhow::Result<()> {
        if !all_good {
            self.keep_logs();
        }
        self.receiver.go_down().await;
        self.broken_receiver.go_down().await;
        self.installation.delete_topics().await
    }
}

/// Sources are the producers' topics: whoever publishes makes them. The rest is Hookline's.
async fn make_topics(installation: &Installation, sources: &[&str]) -> anyhow::Result<()> {
    let admin = Admin::new(&installation.connection())?;
    for source in sources {
        admin.create(source, SOURCE_PARTITIONS, -1, &[]).await?;
    }
    installation.hookline(["topics", "apply"]).await?;
    Ok(())
}

async fn make_tenants(installation: &Installation) -> anyhow::Result<()> {
    let make = |tenant: &'static cast::Tenant| async move {
        let catalogs = tenant.catalogs.join(",");
        let mut command = vec![
            "tenant",
            "create",
            tenant.name,
            "--id",
            tenant.id,
            "--catalogs",
            &catalogs,
            "--direct",
        ];
        if let Some(prefix) = tenant.header_prefix {
            command.extend(["--header-prefix", prefix]);
        }
        installation.hookline(command).await?;
        let key = [
            "key", "create", "--tenant", tenant.id, "--scopes", "webhooks", "--direct",
        ];
        installation.hookline(key).await
    };
    futures::stream::iter(&TENANTS)
        .map(make)
        .buffer_unordered(COMMANDS_AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    Ok(())
}

async fn make_endpoints(
    installation: &Installation,
    [receiver, broken_receiver]: [&Receiver; 2],
    trap: &Trap,
) -> anyhow::Result<Vec<Endpoint>> {
    let make = |plan: &'static cast::Endpoint| {
        let hook = if plan.down { broken_receiver } else { receiver }.hook(plan.name);
        async move {
            hook.behave((plan.behaviour)());
            hook.keep_contents();
            let url = if plan.forbidden {
                trap.url()
            } else {
                hook.url().to_owned()
            };
            let made = make_endpoint(installation, plan, &url).await?;
            let id = text(&made["endpoint"]["id"])?;
            let public_key = &made["endpoint"]["publicKey"];
            let signer = if public_key.is_null() {
                &made["signingSecret"]
            } else {
                public_key
            };
            let mut signers = vec![text(signer)?];
            if plan.rotated {
                let rotated = installation
                    .hookline_json(&["endpoint", "rotate-secret", &id, "--direct"])
                    .await?;
                signers.insert(0, text(&rotated["signingSecret"])?);
            }
            let prefix = cast::tenant(plan.tenant).header_prefix.unwrap_or("webhook-");
            hook.expect_signatures(prefix, &signers)?;
            anyhow::Ok(Endpoint { plan: *plan, id, hook })
        }
    };
    futures::stream::iter(&ENDPOINTS)
        .map(make)
        .buffered(COMMANDS_AT_ONCE)
        .try_collect()
        .await
}

/// A forbidden one is made as if the policy had been wider once: the command line refuses it today.
async fn make_endpoint(installation: &Installation, plan: &cast::Endpoint, url: &str) -> anyhow::Result<Value> {
    let command = create(plan, url);
    if !plan.forbidden {
        return installation.hookline_json(&command).await;
    }
    let refused = installation.run(&command, &[]).await?;
    ensure!(
        !refused.status.success(),
        "`hookline endpoint create` took a forbidden address"
    );
    let wider = ("HOOKLINE_EGRESS__ALLOW_NETWORKS", cast::FORMERLY_ALLOWED_NETWORK);
    let command: Vec<_> = command.into_iter().chain(["--output", "json"]).collect();
    let made = installation.run(&command, &[wider]).await?;
    serde_json::from_slice(&made.stdout)
        .with_context(|| format!("no endpoint: {}", String::from_utf8_lossy(&made.stderr)))
}

fn create<'a>(plan: &'a cast::Endpoint, url: &'a str) -> Vec<&'a str> {
    let mut command = vec!["endpoint", "create", "--direct", "--tenant", plan.tenant, "--url", url];
    command.extend(["--placement", plan.placement, "--description", plan.shows]);
    for filter in plan.filters {
        command.extend(["--filter", filter]);
    }
    for vault in plan.vaults {
        command.extend(["--vault-id", vault]);
    }
    for scope in plan.scopes.into_iter().flatten() {
        command.extend(["--scopes", scope]);
    }
    command.extend(plan.flags);
    command
}

fn text(value: &Value) -> anyhow::Result<String> {
    Ok(value
        .as_str()
        .context("hookline printed another shape than it says")?
        .to_owned())
}
