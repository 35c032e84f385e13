//! The role on a real Kafka, asked as an orchestrator asks it: `/livez`, `/readyz`, `/metrics`.

use anyhow::{Context, Result, ensure};
use brokers::Cluster;
use control_api::{Options, Service};
use kafka_log::{
    Admin, Connection, Membership, MembershipOptions, Ownership,
    topics::{self, TopicSettings},
};
use ledger::{ClerkOptions, Entity, Ledger, Writer, entities};
use runtime::{CancellationToken, admin, readiness::Readiness};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::Instant,
};

const LANES: i32 = 4;
const PATIENCE: Duration = Duration::from_secs(90);

fn settings() -> TopicSettings {
    TopicSettings {
        lanes: LANES,
        replication_factor: Some(1),
        history_retention_days: 1,
        dlq_retention_days: 1,
        default_source: false,
    }
}

/// New topics of the ledger under a prefix of their own.
async fn installation(brokers: &str) -> Result<Connection> {
    let connection = Connection::new(brokers, format!("t-{}.", uuid::Uuid::new_v4()), BTreeMap::new());
    let specs: Vec<_> = topics::fixed(connection.names(), &settings())
        .into_iter()
        .filter(|spec| spec.name.contains(".ledger"))
        .collect();
    topics::apply(&Admin::new(&connection)?, &settings(), &specs).await?;
    Ok(connection)
}

async fn shared() -> Result<Connection> {
    installation(&tokio::task::spawn_blocking(brokers::shared_bootstrap).await??).await
}

/// The role with its admin listener.
struct Running {
    ledger: Ledger,
    address: SocketAddr,
    stop: CancellationToken,
    stop_admin: CancellationToken,
    role: JoinHandle<Result<(), control_api::Error>>,
    admin: JoinHandle<Result<(), admin::AdminError>>,
}

impl Running {
    async fn start(connection: &Connection) -> Result<Self> {
        let metrics = runtime::metrics::install();
        let (readiness, stop, stop_admin) = (Readiness::new(), CancellationToken::new(), CancellationToken::new());
        let listener = admin::Admin::bind(([127, 0, 0, 1], 0).into()).await?;
        let address = listener.local_addr()?;
        let admin = tokio::spawn(listener.serve(readiness.clone(), metrics, stop_admin.clone()));
        let ledger = Ledger::start(connection).await?;
        let options = Options {
            clerk: ClerkOptions::new(settings()),
        };
        let (connection, its_ledger, stopped) = (connection.clone(), ledger.clone(), stop.clone());
        let role =
            tokio::spawn(async move { Service::run(&connection, options, its_ledger, &readiness, stopped).await });
        let running = Self {
            ledger,
            address,
            stop,
            stop_admin,
            role,
            admin,
        };
        Ok(running)
    }

    /// Status and body.
    async fn get(&self, path: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").context("a head and a body")?;
        let status = head.split(' ').nth(1).context("a status")?.parse()?;
        Ok((status, body.to_owned()))
    }

    async fn until_ready_says(&self, status: u16, said: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get("/readyz").await?;
            if answer.0 == status && answer.1.trim_end() == said {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "/readyz never says {status} {said}: {answer:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        (&mut self.role).await??;
        assert_eq!(self.get("/readyz").await?.0, 503, "what has ended is not ready");
        self.stop_admin.cancel();
        Ok(self.admin.await??)
    }
}

/// A member of the clerks' group that holds the office and does nothing.
async fn idle_clerk(connection: &Connection) -> Result<Membership> {
    let names = connection.names();
    let options = MembershipOptions::new(names.clerk_group(), vec![names.ledger_requests()]);
    let (membership, mut ownership) = Membership::join(connection, &options)?;
    while !matches!(ownership.recv().await.context("it joins")?, Ownership::Assigned(_)) {}
    tokio::spawn(async move {
        while let Some(event) = ownership.recv().await {
            if let Ownership::Revoked(_, answer) = event {
                let _ = answer.send(Vec::new());
            }
        }
    });
    Ok(membership)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clerk_runs_and_probes_and_metrics_say_so() -> Result<()> {
    let connection = shared().await?;
    let running = Running::start(&connection).await?;
    assert_eq!(running.get("/livez").await?.0, 200);
    running.until_ready_says(200, "ok").await?;
    let writer = Writer::start(&connection, &running.ledger).await?;
    let tenant = entities::new_tenant("one", vec!["platform".into()], runtime::clock::now_ms());
    let id = tenant.id.clone();
    writer.put(Entity::from(tenant), Some(0)).await?;
    assert!(running.ledger.view().tenant(&id).is_some(), "a clerk has decided it");
    let (status, metrics) = running.get("/metrics").await?;
    assert_eq!(status, 200);
    for series in ["hookline_clerk_in_office", "hookline_ledger_position"] {
        assert!(metrics.contains(series), "no {series} in {metrics}");
    }
    running.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_clerk_there_is_no_installation_and_it_is_not_ready() -> Result<()> {
    let connection = shared().await?;
    let idle = idle_clerk(&connection).await?;
    let running = Running::start(&connection).await?;
    running
        .until_ready_says(503, "waiting for: installation in the ledger")
        .await?;
    assert_eq!(running.get("/livez").await?.0, 200, "a restart would not help");
    idle.leave().await;
    running.until_ready_says(200, "ok").await?;
    running.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_kafka_it_is_alive_and_not_ready() -> Result<()> {
    let cluster = tokio::task::spawn_blocking(|| Cluster::start(brokers::Options::default())).await??;
    let connection = installation(cluster.bootstrap()).await?;
    let running = Running::start(&connection).await?;
    running.until_ready_says(200, "ok").await?;
    let node = cluster.node_ids()[0];
    cluster.kill(node)?;
    running.until_ready_says(503, "waiting for: kafka").await?;
    assert_eq!(running.get("/livez").await?.0, 200);
    let cluster = tokio::task::spawn_blocking(move || cluster.restart(node).map(|()| cluster)).await??;
    running.until_ready_says(200, "ok").await?;
    running.stop().await?;
    drop(cluster);
    Ok(())
}
