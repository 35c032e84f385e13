//! Asked as an orchestrator asks it: `/livez`, `/readyz`, `/metrics`; and how it begins and ends.

use crate::support::{PATIENCE, World, ledger_of, options, shared, topics_of};
use anyhow::{Context, Result, ensure};
use brokers::Cluster;
use control_api::Service;
use kafka_log::{Connection, Membership, MembershipOptions, Ownership};
use ledger::{Entity, Keyring, Ledger, Writer, entities};
use runtime::{CancellationToken, admin, readiness::Readiness};
use serde_json::json;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::Instant,
};

/// The role with its admin listener.
struct Running {
    ledger: Ledger,
    writer: Writer,
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
        let (ledger, writer) = ledger_of(connection).await?;
        let service = Service::bind(options(Keyring::new(&Keyring::generate_key(), &[])?), &readiness).await?;
        let (connection, its_ledger, stopped) = (connection.clone(), ledger.clone(), stop.clone());
        let its_writer = writer.clone();
        let role = tokio::spawn(async move { service.run(&connection, its_ledger, its_writer, stopped).await });
        let running = Self {
            ledger,
            writer,
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

    async fn until_ready_says(&mut self, status: u16, said: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get("/readyz").await?;
            if answer.0 == status && answer.1.trim_end() == said {
                return Ok(());
            }
            if self.role.is_finished() {
                (&mut self.role).await?.context("the role has ended")?;
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
    let mut running = Running::start(&connection).await?;
    assert_eq!(running.get("/livez").await?.0, 200);
    running.until_ready_says(200, "ok").await?;
    let tenant = entities::new_tenant("one", vec!["platform".into()], runtime::clock::now_ms());
    let id = tenant.id.clone();
    running.writer.put(Entity::from(tenant), Some(0)).await?;
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
    let mut running = Running::start(&connection).await?;
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
    let connection = topics_of(cluster.bootstrap()).await?;
    let mut running = Running::start(&connection).await?;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_address_is_an_error_that_says_what_to_do() -> Result<()> {
    let options = options(Keyring::new(&Keyring::generate_key(), &[])?);
    let first = Service::bind(options.clone(), &Readiness::new()).await?;
    let second = control_api::Options {
        listen: first.local_addr()?,
        ..options
    };
    let readiness = Readiness::new();
    let error = Service::bind(second, &readiness)
        .await
        .expect_err("the address is taken");
    assert!(
        error.to_string().contains("api.listen") && !error.is_retryable(),
        "{error}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_finished_after_the_shutdown_and_decided_by_the_clerk() -> Result<()> {
    let world = World::start().await?;
    let body = json!({"url": "https://example.com/hook", "eventTypeFilters": ["*"]}).to_string();
    let mut stream = TcpStream::connect(world.client.address).await?;
    let head = format!(
        "POST /webhooks/v1/endpoints HTTP/1.1\r\nhost: api\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        world.client.key,
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    // The server asks for the body: the request is under way.
    let mut continued = [0; 25];
    stream.read_exact(&mut continued).await?;
    assert!(continued.starts_with(b"HTTP/1.1 100 "), "{continued:?}");
    world.replica.stop.cancel();
    stream.write_all(body.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    world.replica.role.await??;
    assert!(
        TcpStream::connect(world.client.address).await.is_err(),
        "nothing more is accepted"
    );
    Ok(())
}
