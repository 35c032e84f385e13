//! A world for one test: topics under a prefix of their own, a clerk, a ledger with a writer, and instances of the role.

use crate::{receiver::PATIENCE, tail::Tail};
use delivery_core::murmur2;
use dispatcher::{Options, Service};
use kafka_log::{
    Admin, Connection, GroupOffsets, Outgoing, Producer, TopicPartition, Watermarks,
    topics::{self, TopicSettings, TopicSpec},
};
use ledger::{Clerk, ClerkOptions, Entity, Keyring, Ledger, Writer, entities, seal_signing_secret};
use runtime::{CancellationToken, clock::now_ms};
use schemas::{Delivery, Endpoint, LogRecord, Tenant, codec, samples};
use signing::SigningSecret;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinHandle;

pub const LANES: i32 = 4;
/// Longer waits go round in this tier.
const LONGEST_TIER_SEC: u32 = 512;

pub struct World {
    pub connection: Connection,
    pub producer: Producer,
    pub keyring: Keyring,
    /// The keyring's, in base64.
    pub key: String,
    pub ledger: Ledger,
    pub writer: Writer,
    pub tenant: Tenant,
    deliveries: AtomicUsize,
    clerk: Option<JoinHandle<()>>,
    shutdown: CancellationToken,
}

impl World {
    pub async fn new() -> Self {
        let brokers = tokio::task::spawn_blocking(brokers::shared_bootstrap)
            .await
            .expect("it doesn't panic")
            .expect("the tests need Kafka");
        let prefix = format!("t-{}.", uuid::Uuid::new_v4().simple());
        let connection = Connection::new(brokers, prefix, BTreeMap::new());
        let settings = TopicSettings {
            lanes: LANES,
            replication_factor: Some(1),
            history_retention_days: 1,
            dlq_retention_days: 1,
            default_source: false,
        };
        let names = connection.names();
        let (longest, retry) = (names.retry(LONGEST_TIER_SEC), names.retry(0));
        let specs: Vec<_> = topics::fixed(names, &settings)
            .into_iter()
            .filter(|spec| !spec.name.starts_with(&retry[..retry.len() - 1]) || spec.name.len() <= longest.len())
            .collect();
        let admin = Admin::new(&connection).expect("an admin client");
        admin.create_all(&specs, 1).await.expect("the topics are made");
        until_they_answer(&connection, &specs).await;
        let ledger = Ledger::start(&connection).await.expect("the ledger is followed");
        let shutdown = CancellationToken::new();
        let clerk = tokio::spawn({
            let (connection, ledger, shutdown) = (connection.clone(), ledger.clone(), shutdown.clone());
            async move {
                Clerk::run(&connection, &ledger, ClerkOptions::new(settings), shutdown)
                    .await
                    .expect("the clerk works");
            }
        });
        let writer = Writer::start_with_timeout(&connection, &ledger, PATIENCE)
            .await
            .expect("a writer");
        let tenant = entities::new_tenant("t", vec!["platform".into()], now_ms());
        writer
            .put(Entity::Tenant(Arc::new(tenant.clone())), Some(0))
            .await
            .expect("a tenant");
        let key = Keyring::generate_key();
        Self {
            producer: Producer::new(&connection).expect("a producer"),
            keyring: Keyring::new(&key, &[]).expect("a generated key is valid"),
            key,
            connection,
            ledger,
            writer,
            tenant,
            deliveries: AtomicUsize::new(0),
            clerk: Some(clerk),
            shutdown,
        }
    }

    /// Ends what the world runs.
    pub async fn end(mut self) {
        self.shutdown.cancel();
        if let Some(clerk) = self.clerk.take() {
            clerk.await.expect("the clerk ends well");
        }
    }

    pub async fn tenant(&self, fill: impl FnOnce(&mut Tenant)) -> Tenant {
        let mut tenant = entities::new_tenant("another", vec!["platform".into()], now_ms());
        fill(&mut tenant);
        self.writer
            .put(Entity::Tenant(Arc::new(tenant.clone())), Some(0))
            .await
            .expect("a tenant");
        tenant
    }

    /// An endpoint of the lanes, unless `fill` says otherwise.
    pub async fn endpoint(&self, url: String, fill: impl FnOnce(&mut Endpoint)) -> Endpoint {
        self.endpoint_in(0, url, fill).await
    }

    /// As [`World::endpoint`], in this shard.
    pub async fn endpoint_in(&self, shard: i32, url: String, fill: impl FnOnce(&mut Endpoint)) -> Endpoint {
        let new = || entities::new_endpoint(&self.tenant.id, &url, vec!["*".into()], now_ms());
        let mut endpoint = std::iter::repeat_with(new)
            .find(|e| shard_of(&e.id) == shard)
            .expect("every shard has ids");
        endpoint.placement = "shared".into();
        fill(&mut endpoint);
        if endpoint.signing_secret.is_empty() {
            let secret = SigningSecret::generate().expose();
            seal_signing_secret(&mut endpoint, &self.keyring, &secret);
        }
        self.put(&endpoint).await
    }

    /// Writes the endpoint, whatever version it has; returns it as the ledger has it.
    pub async fn put(&self, endpoint: &Endpoint) -> Endpoint {
        self.writer
            .put(Entity::Endpoint(Arc::new(endpoint.clone())), None)
            .await
            .expect("the endpoint is acceptable");
        let view = self.ledger.view();
        Endpoint::clone(view.endpoint(&endpoint.id).expect("it was put"))
    }

    pub async fn set_status(&self, endpoint: &Endpoint, status: &str) -> Endpoint {
        let changed = Endpoint {
            status: status.into(),
            updated_at_ms: now_ms(),
            ..endpoint.clone()
        };
        self.put(&changed).await
    }

    /// A new delivery, as fan-out makes it.
    pub fn delivery(&self, endpoint: &Endpoint) -> Delivery {
        let number = self.deliveries.fetch_add(1, Ordering::Relaxed);
        let now = now_ms();
        Delivery {
            body: format!("{{\"id\":\"evt_{number}\", \"data\": {{\"n\":1.50}}}}").into_bytes(),
            event_time_ms: now,
            matched_at_ms: now,
            ..samples::delivery(number, &endpoint.tenant, &endpoint.id)
        }
    }

    pub fn deliveries(&self, endpoint: &Endpoint, count: usize) -> Vec<Delivery> {
        (0..count).map(|_| self.delivery(endpoint)).collect()
    }

    /// Puts deliveries where fan-out puts those of their endpoint.
    pub async fn publish(&self, deliveries: &[Delivery]) {
        let view = self.ledger.view();
        let records: Vec<_> = deliveries
            .iter()
            .map(|delivery| {
                let dedicated = view.endpoint(&delivery.endpoint_id).and_then(|e| e.dedicated_topic);
                match dedicated {
                    Some(number) => record(
                        self.connection.names().endpoint(&delivery.endpoint_id, number),
                        0,
                        delivery,
                    ),
                    None => record(
                        self.connection.names().lanes(),
                        shard_of(&delivery.endpoint_id),
                        delivery,
                    ),
                }
            })
            .collect();
        self.write(&records).await;
    }

    /// Puts deliveries into the lanes, wherever their endpoint lives.
    pub async fn publish_to_lanes(&self, deliveries: &[Delivery]) {
        let lanes = self.connection.names().lanes();
        let records: Vec<_> = deliveries
            .iter()
            .map(|d| record(lanes.clone(), shard_of(&d.endpoint_id), d))
            .collect();
        self.write(&records).await;
    }

    /// Puts deliveries into `returns`, as a scheduler or a replay does.
    pub async fn give_back(&self, deliveries: &[Delivery]) {
        let returns = self.connection.names().returns();
        let records: Vec<_> = deliveries
            .iter()
            .map(|d| record(returns.clone(), shard_of(&d.endpoint_id), d))
            .collect();
        self.write(&records).await;
    }

    pub async fn write(&self, records: &[Outgoing]) {
        for chunk in records.chunks(5_000) {
            self.producer.write_all(chunk).await.expect("the records are written");
        }
    }

    pub async fn log(&self) -> Tail<LogRecord> {
        Tail::start(&self.connection, &[self.connection.names().log()]).await
    }

    /// All retry topics that the world has.
    pub async fn retries(&self) -> Tail<Delivery> {
        let names = self.connection.names();
        let tiers = kafka_log::RETRY_TIERS_SEC
            .into_iter()
            .filter(|tier| *tier <= LONGEST_TIER_SEC);
        Tail::start(
            &self.connection,
            &tiers.map(|tier| names.retry(tier)).collect::<Vec<_>>(),
        )
        .await
    }

    /// What is committed for the endpoint's delivery topic: offset and metadata.
    pub async fn committed(&self, endpoint: &Endpoint) -> (Option<i64>, String) {
        let names = self.connection.names();
        let partition = match endpoint.dedicated_topic {
            Some(number) => TopicPartition::new(names.endpoint(&endpoint.id, number), 0),
            None => TopicPartition::new(names.lanes(), shard_of(&endpoint.id)),
        };
        let offsets = GroupOffsets::new(&self.connection, &names.dispatcher_group()).expect("a client");
        let committed = offsets
            .committed(vec![partition])
            .await
            .expect("the group is asked")
            .remove(0);
        (committed.offset, committed.metadata)
    }

    /// Waits until the offset that is committed for the endpoint's delivery topic is `offset`.
    pub async fn until_committed(&self, endpoint: &Endpoint, offset: i64) {
        let waited = tokio::time::timeout(PATIENCE, async {
            // Brokers tell nobody of a commit: they have to be asked.
            while self.committed(endpoint).await.0 != Some(offset) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(
            waited.await.is_ok(),
            "committed is {:?}, not {offset}",
            self.committed(endpoint).await
        );
    }

    pub fn options(&self) -> Options {
        options()
    }

    pub async fn instance(&self) -> Instance {
        self.instance_with(self.options()).await
    }

    /// An instance of the role, with a view of its own. It owns nothing yet when this returns.
    pub async fn instance_with(&self, options: Options) -> Instance {
        let ledger = Ledger::start(&self.connection).await.expect("the ledger is followed");
        let shutdown = CancellationToken::new();
        let task = tokio::spawn({
            let (connection, keyring, shutdown) = (self.connection.clone(), self.keyring.clone(), shutdown.clone());
            let writer = self.writer.clone();
            async move { Service::run(&connection, options, ledger, writer, keyring, shutdown).await }
        });
        Instance { shutdown, task }
    }
}

/// Waits until every partition has a leader that knows of it: brokers show new topics before that.
async fn until_they_answer(connection: &Connection, specs: &[TopicSpec]) {
    let watermarks = Watermarks::new(connection).expect("a client");
    let waited = tokio::time::timeout(PATIENCE, async {
        for spec in specs {
            for partition in 0..spec.partitions {
                while watermarks.range(&spec.name, partition).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    });
    waited.await.expect("new topics answer in time");
}

/// A running dispatcher.
pub struct Instance {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), dispatcher::Error>>,
}

impl Instance {
    /// Asks for the shutdown without waiting for it.
    pub fn begin_shutdown(&self) {
        self.shutdown.cancel();
    }

    /// Shuts down, and waits until it has drained and left the group.
    pub async fn end(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("it drains in time");
        ended.expect("it doesn't panic").expect("it ends well");
    }
}

pub fn options() -> Options {
    let policy = egress::Policy {
        allow_networks: vec!["127.0.0.0/8".parse().expect("a network")],
        allow_http: true,
    };
    Options {
        lanes: LANES,
        drain: PATIENCE,
        // A test that waits for something gives up before what it holds open does.
        timeout: 2 * PATIENCE,
        egress: egress::Options {
            policy,
            ..egress::Options::default()
        },
        ..Options::default()
    }
}

pub fn shard_of(endpoint_id: &str) -> i32 {
    murmur2::partition(endpoint_id.as_bytes(), LANES)
}

pub fn record(topic: String, partition: i32, delivery: &Delivery) -> Outgoing {
    let value = codec::encode(delivery).expect("a delivery fits its schema");
    Outgoing::new(topic, partition, delivery.endpoint_id.as_bytes(), value)
}

pub fn ids(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|d| d.delivery_id.clone()).collect()
}

pub fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}
