//! The stage: an installation on Kafka, its roles as processes, receivers, tenants and endpoints, all made as users make
//! them. And its end.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use anyhow::{Context, ensure};
use harness::{Hook, Installation, Options, Process, Receiver, Seen, Trap};
use kafka_log::Admin;
use serde_json::json;

use crate::api::Api;
use crate::cast::{self, CASELINE, MadeBy, TENANTS};
use crate::making::{self, Apis, Maker, TestSend};

/// Outside the network that the processes are allowed.
const FORBIDDEN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SOURCE_PARTITIONS: i32 = 4;
/// Endpoints that are tested before the first event, and whether their receivers answer.
const TESTED: [(&str, bool); 3] = [("fast", true), ("down", false), ("blocked", false)];
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
    /// Of the endpoints of `TESTED`.
    test_sends: Vec<TestSend>,
    apis: Apis,
    processes: Vec<Process>,
    receiver: Receiver,
    /// Where no request may go.
    trap: Trap,
    installation: Installation,
}

impl Stage {
    /// Everything up to the first event.
    pub async fn set() -> anyhow::Result<Self> {
        let operator_key = format!("op_{}", uuid::Uuid::new_v4().simple());
        let mut installation = Installation::without_topics(
            Options::new("demo")
                .set("delivery.retry_schedule_sec", cast::RETRY_SCHEDULE)
                .set("auto_disable.failures", cast::DISABLED_AFTER_FAILURES)
                .set("auto_disable.without_success_sec", cast::DISABLED_AFTER_SEC)
                .set("egress.allow_networks", cast::ALLOWED_NETWORK)
                .set("api.operator_key", &operator_key)
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

        let mut processes = vec![installation.serve("api", &["api", "history"]).await?];
        for (name, role) in PROCESSES {
            processes.push(installation.start_process(name, &[role], &[])?);
        }
        let operator = Api::new(&processes[0].api_url(), &operator_key)?;
        let (receiver, trap) = (Receiver::start().await?, Trap::set(FORBIDDEN).await?);
        let (apis, endpoints) = people(&installation, &operator, &receiver, &trap).await?;
        for process in &mut processes {
            process.ready().await?;
        }
        let mut stage = Self {
            endpoints,
            test_sends: Vec::new(),
            apis,
            processes,
            receiver,
            trap,
            installation,
        };
        stage.introduce();
        stage.test().await?;
        Ok(stage)
    }

    /// Says who is there.
    fn introduce(&self) {
        let shown: Vec<_> = self
            .processes
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
        let count = |wanted: fn(&cast::Endpoint) -> bool| {
            let plans = self.endpoints.iter().map(|endpoint| &endpoint.plan);
            plans.filter(|plan| wanted(plan)).count()
        };
        let by_tenant_api = count(|plan| plan.made_by == MadeBy::TenantApi);
        let dedicated = count(cast::Endpoint::has_own_topic);
        println!(
            "Endpoints  {}, made over the HTTP API with their tenants' keys: {} by POST /webhooks/v1/endpoints, {by_tenant_api} by\n           \
             POST /v2.3/webhooks/endpoints; {dedicated} have a topic of their own, {} share the lanes",
            self.endpoints.len(),
            self.endpoints.len() - by_tenant_api,
            self.endpoints.len() - dedicated
        );
        println!(
            "Receivers  HTTP servers of this process; each verifies every signature with the `standardwebhooks` crate (v1a: with ed25519-dalek)"
        );
    }

    /// Test sends, as a tenant makes them before anything happens.
    async fn test(&mut self) -> anyhow::Result<()> {
        let mut said = Vec::new();
        for (name, answers) in TESTED {
            let endpoint = self.endpoint(name);
            let sent = making::test_send(self.api(endpoint.plan.tenant), endpoint).await?;
            ensure!(sent.is_ok == answers, "the test of `{name}`: {}", sent.result);
            said.push(format!("`{name}`: {}", sent.result));
            self.test_sends.push(sent);
        }
        println!("Test sends {}", said.join("; "));
        Ok(())
    }

    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The HTTP API with this tenant's key.
    pub fn api(&self, tenant: &str) -> &Api {
        &self.apis[tenant]
    }

    /// The endpoint with this name.
    pub fn endpoint(&self, name: &str) -> &Endpoint {
        let found = self.endpoints.iter().find(|endpoint| endpoint.plan.name == name);
        found.expect("every endpoint of the cast was made")
    }

    /// Ids of the test sends' events, as far as they arrived.
    pub fn arrived_tests(&self) -> HashSet<String> {
        let is_test = |seen: &Seen| self.test_sends.iter().any(|sent| sent.delivery_id == seen.delivery_id);
        let tested = TESTED.map(|(name, _)| self.endpoint(name).hook.requests());
        let arrived = tested
            .into_iter()
            .flatten()
            .filter(|seen| seen.is_delivered() && is_test(seen));
        arrived.map(|seen| seen.event_id).collect()
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

    /// Gives the endpoint the address where its receiver is.
    pub async fn repair(&self, endpoint: &Endpoint) -> anyhow::Result<()> {
        let api = self.api(endpoint.plan.tenant);
        making::move_to(api, &endpoint.id, endpoint.hook.url()).await
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

/// Tenants and endpoints. One endpoint needs a replica of the API whose egress policy is wider; it ends at once.
async fn people(
    installation: &Installation,
    operator: &Api,
    receiver: &Receiver,
    trap: &Trap,
) -> anyhow::Result<(Apis, Vec<Endpoint>)> {
    let policy = ("HOOKLINE_EGRESS__ALLOW_NETWORKS", cast::FORMERLY_ALLOWED_NETWORK);
    let mut wider = installation.start_process("api-wider", &["api"], &[policy])?;
    let apis = making::make_tenants(operator).await?;
    wider.ready().await?;
    let maker = Maker {
        operator,
        apis: &apis,
        receiver,
        nobody: &Receiver::down()?,
        trap,
        wider_url: &wider.api_url(),
    };
    let endpoints = maker.make_all().await?;
    wider.terminate().await.context("the second replica of the API")?;
    Ok((apis, endpoints))
}
