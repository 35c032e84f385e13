//! An installation of its own for each test: topics under a prefix, replicas of the role, tenants and keys.

use crate::client::Client;
use anyhow::Result;
use control_api::{DeliveryDefaults, Options, Rate, Service};
use kafka_log::{
    Admin, Connection,
    topics::{self, TopicSettings},
};
use ledger::{ClerkOptions, Entity, Keyring, Ledger, Writer, entities};
use runtime::{CancellationToken, readiness::Readiness};
use schemas::Tenant;
use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU32, time::Duration};
use tokio::{task::JoinHandle, time::Instant};

pub const LANES: i32 = 4;
pub const PATIENCE: Duration = Duration::from_secs(90);
pub const OPERATOR_KEY: &str = "operator-key-of-the-tests";
/// All that the first catalog's types need, and what managing needs.
pub const ALL_SCOPES: [&str; 7] = [
    "vault",
    "vision_ocr",
    "transcription",
    "agent",
    "legal",
    "compute",
    "webhooks",
];

pub fn topic_settings() -> TopicSettings {
    TopicSettings {
        lanes: LANES,
        replication_factor: Some(1),
        history_retention_days: 1,
        dlq_retention_days: 1,
        default_source: false,
    }
}

/// New topics of the ledger, and the one that the clerk publishes to, under a prefix of their own.
pub async fn topics_of(brokers: &str) -> Result<Connection> {
    let connection = Connection::new(brokers, format!("t-{}.", uuid::Uuid::new_v4()), BTreeMap::new());
    let specs: Vec<_> = topics::fixed(connection.names(), &topic_settings())
        .into_iter()
        .filter(|spec| spec.name.contains(".ledger") || spec.name.ends_with(".ingest"))
        .collect();
    topics::apply(&Admin::new(&connection)?, &topic_settings(), &specs).await?;
    Ok(connection)
}

pub async fn shared() -> Result<Connection> {
    topics_of(&tokio::task::spawn_blocking(brokers::shared_bootstrap).await??).await
}

/// The ledger's view and a writer; topics that were only just made may have no leader yet.
pub async fn ledger_of(connection: &Connection) -> Result<(Ledger, Writer)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let opened = async {
            let ledger = Ledger::start(connection).await?;
            // Longer than a process waits: tests share their processors.
            let writer = Writer::start_with_timeout(connection, &ledger, Duration::from_secs(30)).await?;
            Ok::<_, ledger::Error>((ledger, writer))
        };
        match opened.await {
            Err(error) if error.is_retryable() && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            opened => return Ok(opened?),
        }
    }
}

pub fn options(keyring: Keyring) -> Options {
    Options {
        clerk: ClerkOptions::new(topic_settings()),
        listen: ([127, 0, 0, 1], 0).into(),
        operator_key: OPERATOR_KEY.into(),
        keyring,
        egress: egress::Options::default(),
        delivery: DeliveryDefaults {
            header_prefix: "webhook-".into(),
            max_in_flight: 32,
            timeout_sec: 15,
            retry_schedule_sec: vec![5, 60, 300, 1800, 7200, 18_000, 36_000, 36_000],
            max_payload_bytes: 256 << 10,
            clock_tolerance_ms: 5_000,
        },
        rate: Rate::per_sec(NonZeroU32::new(100_000).expect("it is not 0")),
        history: None,
    }
}

/// An installation with one replica at least, and one tenant.
pub struct World {
    pub connection: Connection,
    pub keyring: Keyring,
    pub replica: Replica,
    pub tenant: Tenant,
    /// With all scopes.
    pub client: Client,
}

/// One process's role.
pub struct Replica {
    pub address: SocketAddr,
    pub ledger: Ledger,
    pub writer: Writer,
    pub stop: CancellationToken,
    pub role: JoinHandle<Result<(), control_api::Error>>,
}

impl World {
    pub async fn start() -> Result<Self> {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Options)) -> Result<Self> {
        let connection = shared().await?;
        let keyring = Keyring::new(&Keyring::generate_key(), &[])?;
        let mut options = options(keyring.clone());
        change(&mut options);
        let replica = Replica::start_with(&connection, options).await?;
        let mut tenant = entities::new_tenant("one", vec!["platform".into(), "cases".into()], 1);
        tenant.quotas.endpoints = 1000;
        replica.writer.put(Entity::from(tenant.clone()), Some(0)).await?;
        let key = replica.key(&tenant.id, &ALL_SCOPES).await?;
        let client = Client::new(replica.address, &key);
        Ok(Self {
            connection,
            keyring,
            replica,
            tenant,
            client,
        })
    }

    /// Another replica of the same installation.
    pub async fn another(&self) -> Result<Replica> {
        Replica::start_with(&self.connection, options(self.keyring.clone())).await
    }

    /// A client with a new key that has these scopes.
    pub async fn client_with(&self, scopes: &[&str]) -> Result<Client> {
        let key = self.replica.key(&self.tenant.id, scopes).await?;
        Ok(Client::new(self.replica.address, &key))
    }

    /// A client of another tenant, with all scopes.
    pub async fn stranger(&self) -> Result<Client> {
        let tenant = entities::new_tenant("other", vec!["platform".into()], 1);
        self.replica.writer.put(Entity::from(tenant.clone()), Some(0)).await?;
        Ok(Client::new(
            self.replica.address,
            &self.replica.key(&tenant.id, &ALL_SCOPES).await?,
        ))
    }

    pub fn operator(&self) -> Client {
        Client::new(self.replica.address, OPERATOR_KEY)
    }
}

impl Replica {
    pub async fn start_with(connection: &Connection, options: Options) -> Result<Self> {
        let (ledger, writer) = ledger_of(connection).await?;
        let service = Service::bind(options, &Readiness::new()).await?;
        let (address, stop) = (service.local_addr()?, CancellationToken::new());
        let role = tokio::spawn({
            let (connection, ledger, writer, stop) = (connection.clone(), ledger.clone(), writer.clone(), stop.clone());
            async move { service.run(&connection, ledger, writer, stop).await }
        });
        // The first clerk founds the installation; before that nothing can be written.
        let founded = ledger.wait_until(|view| view.installation().is_some());
        tokio::time::timeout(PATIENCE, founded).await??;
        Ok(Self {
            address,
            ledger,
            writer,
            stop,
            role,
        })
    }

    /// A new key, in clear.
    pub async fn key(&self, tenant: &str, scopes: &[&str]) -> Result<String> {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let (key, plain) = entities::new_api_key(tenant, scopes, None, runtime::clock::now_ms());
        self.writer.put(Entity::from(key), Some(0)).await?;
        Ok(plain)
    }

    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        Ok(self.role.await??)
    }
}
