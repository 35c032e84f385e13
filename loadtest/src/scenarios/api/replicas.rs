//! Processes of role `api` of one installation, and what clients ask them.

use std::time::Duration;

use anyhow::{Context, ensure};
use harness::{ALL_SCOPES, Direct, Installation, Process};
use reqwest::Method;

use crate::load::{self, Load};
use crate::{body, machine};

const ENDPOINTS: &str = "/webhooks/v1/endpoints";
const EVENTS: &str = "/webhooks/v1/events";
pub(super) const JSON: &str = "application/json";
pub(super) const LINES: &str = "application/x-ndjson";
const TIMEOUT: Duration = Duration::from_secs(30);
/// No case comes near it.
const MANY_ENDPOINTS: i64 = 10_000_000;

pub(super) struct Replicas {
    pub(super) installation: Installation,
    direct: Direct,
    processes: Vec<Process>,
    http: reqwest::Client,
}

/// A tenant's key.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) tenant: String,
    plain: String,
}

/// Asks replicas in turn.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    http: reqwest::Client,
    urls: Vec<String>,
}

impl Replicas {
    /// One.
    pub(super) async fn start() -> anyhow::Result<Self> {
        // Keys' rates are not what is measured.
        let options = harness::Options::new("api").set("api.rate_per_sec", "1000000");
        let installation = Installation::start(options).await?;
        let first = installation.serve("api-0", &["api"]).await?;
        Ok(Self {
            direct: installation.direct().await?,
            installation,
            processes: vec![first],
            http: reqwest::Client::builder()
                .http1_only()
                .no_proxy()
                .tcp_nodelay(true)
                .timeout(TIMEOUT)
                .build()?,
        })
    }

    /// Starts more, so that there are this many.
    pub(super) async fn grow(&mut self, count: usize) -> anyhow::Result<()> {
        for n in self.processes.len()..count {
            self.processes
                .push(self.installation.serve(&format!("api-{n}"), &["api"]).await?);
        }
        Ok(())
    }

    pub(super) fn count(&self) -> usize {
        self.processes.len()
    }

    pub(super) fn asker(&self) -> Asker {
        Asker {
            http: self.http.clone(),
            urls: self.processes.iter().map(Process::api_url).collect(),
        }
    }

    /// New tenants with a key each.
    pub(super) async fn keys(&self, count: usize) -> anyhow::Result<Vec<Key>> {
        let mut keys = Vec::new();
        for n in 0..count {
            let name = format!("tenant {n}");
            let tenant = self
                .direct
                .tenant(&name, &["platform"], |tenant| tenant.quotas.endpoints = MANY_ENDPOINTS)
                .await?;
            let plain = self.direct.key(&tenant, &ALL_SCOPES).await?;
            keys.push(Key { tenant, plain });
        }
        Ok(keys)
    }

    /// Makes endpoints.
    pub(super) async fn create(&self, clients: usize, placement: &str, time: Duration) -> anyhow::Result<Load> {
        let (asker, keys) = (self.asker(), self.keys(clients).await?);
        let wanted = wanted(placement);
        self.measure(clients, time, move |client, nth| {
            let (asker, key, body) = (asker.clone(), keys[client].clone(), wanted.clone());
            async move {
                let turn = client as u64 + nth;
                asker
                    .ask(turn, Method::POST, ENDPOINTS, &key, Some((JSON, body)), 201)
                    .await?;
                Ok(())
            }
        })
        .await
    }

    /// Reads an endpoint of each client's.
    pub(super) async fn get(&self, clients: usize, time: Duration) -> anyhow::Result<Load> {
        let (asker, keys) = (self.asker(), self.keys(clients).await?);
        let mut paths = Vec::new();
        for key in &keys {
            let made = asker.ask(0, Method::POST, ENDPOINTS, key, Some((JSON, wanted("shared"))), 201);
            let made: serde_json::Value = serde_json::from_str(&made.await?)?;
            let id = made["endpoint"]["id"].as_str().context("an endpoint has an id")?;
            paths.push(format!("{ENDPOINTS}/{id}"));
        }
        self.measure(clients, time, move |client, nth| {
            let (asker, key, path) = (asker.clone(), keys[client].clone(), paths[client].clone());
            async move {
                asker
                    .ask(client as u64 + nth, Method::GET, &path, &key, None, 200)
                    .await?;
                Ok(())
            }
        })
        .await
    }

    /// [`load::drive`], with the replicas' processor time.
    pub(super) async fn measure<F, Asking>(&self, clients: usize, time: Duration, ask: F) -> anyhow::Result<Load>
    where
        F: Fn(usize, u64) -> Asking + Send + Sync + 'static,
        Asking: Future<Output = anyhow::Result<()>> + Send,
    {
        let before = self.cpu_us()?;
        let load = load::drive(clients, time, ask).await?;
        Ok(load.with_cpu(self.cpu_us()? - before))
    }

    fn cpu_us(&self) -> anyhow::Result<u64> {
        self.processes
            .iter()
            .map(|process| machine::cpu_us(process.pid()))
            .sum()
    }

    /// Ends its processes and deletes its topics.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        for mut process in self.processes {
            process.terminate().await?;
        }
        drop(self.direct);
        self.installation.delete_topics().await
    }
}

impl Asker {
    /// Publishes, and checks that all of it was taken.
    pub(super) async fn publish(
        &self,
        turn: u64,
        key: &Key,
        content_type: &'static str,
        body: String,
    ) -> anyhow::Result<()> {
        let answer = self.ask(turn, Method::POST, EVENTS, key, Some((content_type, body)), 202);
        let answer = answer.await?;
        ensure!(!answer.contains("\"error\""), "an event was refused: {answer}");
        Ok(())
    }

    async fn ask(
        &self,
        turn: u64,
        method: Method,
        path: &str,
        key: &Key,
        body: Option<(&'static str, String)>,
        expected: u16,
    ) -> anyhow::Result<String> {
        let url = &self.urls[usize::try_from(turn)? % self.urls.len()];
        let mut request = self
            .http
            .request(method, format!("{url}{path}"))
            .bearer_auth(&key.plain);
        if let Some((content_type, body)) = body {
            request = request.header("content-type", content_type).body(body);
        }
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status == expected, "{path} was answered {status}: {text}");
        Ok(text)
    }
}

fn wanted(placement: &str) -> String {
    serde_json::json!({
        "url": "https://example.com/hook",
        "eventTypeFilters": [body::EVENT_TYPE],
        "placement": placement,
    })
    .to_string()
}
