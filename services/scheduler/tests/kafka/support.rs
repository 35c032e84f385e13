//! A prefix of its own on a real Kafka for each test, deliveries put to wait as a dispatcher does, and what comes back.

use anyhow::{Context, Result, bail, ensure};
use delivery_core::{
    murmur2,
    tier::{Hop, next_hop},
};
use kafka_log::{
    Admin, Connection, Item, Outgoing, Producer, ReadOptions, Reader, ReaderOptions, Record, Start, TopicPartition,
    topics::{self, TopicSettings},
};
use ledger::Ledger;
use runtime::{CancellationToken, clock::now_ms};
use scheduler::{Options, Service};
use schemas::{Delivery, Endpoint, Installation, LedgerEntry, OwnSchemas, Rejected, SchemaEntry, samples};
use std::{
    collections::{BTreeMap, HashMap},
    process::Command,
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

pub const LANES: i32 = 4;
pub const TENANT: &str = "org_test";

pub struct World {
    pub connection: Connection,
    pub producer: Producer,
    pub admin: Admin,
}

impl World {
    pub async fn new() -> Result<Self> {
        runtime::metrics::install();
        let bootstrap = tokio::task::spawn_blocking(brokers::shared_bootstrap).await??;
        let connection = Connection::new(bootstrap, format!("t-{}.", uuid::Uuid::new_v4()), BTreeMap::new());
        let names = connection.names();
        let settings = TopicSettings {
            lanes: LANES,
            replication_factor: Some(1),
            history_retention_days: 1,
            dlq_retention_days: 1,
            default_source: true,
        };
        let others = [
            names.returns(),
            names.ledger(),
            names.lanes(),
            names.events(),
            names.rejected(),
        ];
        let wanted = |name: &String| name.contains(".retry.") || others.contains(name);
        let specs: Vec<_> = topics::fixed(names, &settings)
            .into_iter()
            .filter(|spec| wanted(&spec.name))
            .collect();
        let admin = Admin::new(&connection)?;
        topics::apply(&admin, &settings, &specs).await?;
        let world = Self {
            producer: Producer::new(&connection)?,
            admin,
            connection,
        };
        let installation = Installation {
            incarnation: "test".into(),
            lanes: LANES,
            created_at_ms: 1,
        };
        world
            .configure("installation", "installation", schemas::encode(&installation)?)
            .await?;
        Ok(world)
    }

    pub fn options(&self) -> Options {
        Options::new(LANES, vec![self.connection.names().events()])
    }

    pub async fn configure(&self, kind: &str, id: &str, entity: Vec<u8>) -> Result<()> {
        let entry = LedgerEntry {
            kind: kind.into(),
            id: id.into(),
            version: 1,
            written_at_ms: 1,
            request_id: "test".into(),
            entity,
        };
        let key = format!("{kind}/{id}");
        self.producer
            .write(&Outgoing::new(
                self.connection.names().ledger(),
                0,
                key,
                schemas::encode(&entry)?,
            ))
            .await?;
        Ok(())
    }

    pub async fn configure_endpoint(&self, id: &str, status: &str, dedicated_topic: Option<i64>) -> Result<()> {
        self.configure("endpoint", id, schemas::encode(&endpoint(id, status, dedicated_topic))?)
            .await
    }

    pub async fn configure_schema(&self, fingerprint: u64, schema: &str) -> Result<()> {
        let fingerprint = format!("{fingerprint:016x}");
        let entry = SchemaEntry {
            fingerprint: fingerprint.clone(),
            schema: schema.into(),
        };
        self.configure("schema", &fingerprint, schemas::encode(&entry)?).await
    }

    /// Puts one delivery for each of `waits_ms` to wait, and returns when each is due, by id.
    pub async fn wait(&self, waits_ms: &[i64]) -> Result<HashMap<String, i64>> {
        let mut due = HashMap::new();
        let mut records = Vec::new();
        for wait_ms in waits_ms {
            let now_ms = now_ms();
            let delivery = waiting(now_ms, now_ms + wait_ms);
            due.insert(delivery.delivery_id.clone(), delivery.due_at_ms);
            records.push(self.to_retry(&delivery, schemas::encode(&delivery)?)?);
        }
        self.producer.write_all(&records).await?;
        Ok(due)
    }

    /// The record that makes a delivery wait, with this value.
    pub fn to_retry(&self, delivery: &Delivery, value: Vec<u8>) -> Result<Outgoing> {
        let since_ms = delivery.wait_since_ms;
        let Hop::Tier(tier) = next_hop(since_ms, delivery.due_at_ms, since_ms, 0) else {
            bail!("it is due at once")
        };
        let endpoint = delivery.endpoint_id.as_bytes();
        Ok(Outgoing::new(
            self.connection.names().retry(tier),
            murmur2::partition(endpoint, 8),
            endpoint,
            value,
        ))
    }

    /// Runs a scheduler in this process.
    pub async fn start(&self, options: Options) -> Result<Running> {
        let (stop, connection) = (CancellationToken::new(), self.connection.clone());
        let ledger = Ledger::start(&connection).await?;
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let ended = Service::run(&connection, options, ledger, stopped).await;
            if let Err(error) = &ended {
                // Said at once: whoever waits for what it should have done would only learn that nothing came.
                eprintln!("the scheduler has ended: {error}");
            }
            Ok(ended?)
        });
        Ok(Running { stop, task })
    }

    /// A scheduler as a process of its own, to crash at `point`.
    pub fn child(&self, point: &str) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["--exact", "crashes::child", "--ignored", "--nocapture"])
            .env("KAFKA_BROKERS", self.connection.brokers())
            .env("HOOKLINE_TEST_PREFIX", self.connection.names().prefix())
            .env("HOOKLINE_CRASH_AT", point);
        Ok(command)
    }

    /// Measures how slow the machine is from now on.
    pub fn slowness(&self) -> Slowness {
        let stop = CancellationToken::new();
        let (producer, topic) = (self.producer.clone(), self.connection.names().lanes());
        Slowness {
            task: tokio::spawn(slowest_write_ms(producer, topic, stop.clone())),
            stop,
        }
    }

    pub async fn returns(&self) -> Result<Returns> {
        self.tail(self.connection.names().returns(), LANES).await
    }

    /// The first `count` records that were put aside, in the order of writing for each partition.
    pub async fn rejected(&self, count: usize) -> Result<Vec<Rejected>> {
        let mut tail = self.tail(self.connection.names().rejected(), 4).await?;
        let mut rejected = Vec::new();
        while rejected.len() < count {
            let record = tail.record(Duration::from_secs(30)).await?.context("too few")?;
            let value = record.value.as_ref().context("a tombstone")?;
            rejected.push(schemas::decode(value, &OwnSchemas)?);
        }
        Ok(rejected)
    }

    /// The largest record that `returns` takes; None: as it should be.
    pub async fn limit_returns(&self, bytes: Option<&str>) -> Result<()> {
        let setting = ("max.message.bytes".to_owned(), bytes.unwrap_or("2097152").to_owned());
        Ok(self.admin.set(&self.connection.names().returns(), &[setting]).await?)
    }

    async fn tail(&self, topic: String, partitions: i32) -> Result<Returns> {
        let reader = Reader::start(&self.connection, &ReaderOptions::new("test"))?;
        let (sink, items) = mpsc::channel(1000);
        for partition in 0..partitions {
            let partition = TopicPartition::new(topic.as_str(), partition);
            // A new topic's leaders aren't known everywhere at once.
            while let Err(error) = reader
                .add(partition.clone(), ReadOptions::new(Start::Beginning), sink.clone())
                .await
            {
                ensure!(error.is_retryable(), error);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(Returns { _reader: reader, items })
    }

    /// The connection that [`World::child`] gave.
    pub fn inherited() -> Result<Connection> {
        let prefix = std::env::var("HOOKLINE_TEST_PREFIX").context("only a child process runs this")?;
        Ok(Connection::new(
            std::env::var("KAFKA_BROKERS")?,
            prefix,
            BTreeMap::new(),
        ))
    }
}

/// A scheduler in this process.
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<()>>,
}

impl Running {
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.task.await?
    }
}

/// How slow the machine is: in time means so "when not overloaded", and tests share their machine.
pub struct Slowness {
    stop: CancellationToken,
    task: JoinHandle<Result<i64>>,
}

impl Slowness {
    /// By how much what takes several calls to Kafka may be later here than on an idle machine.
    pub async fn allowance_ms(self) -> Result<i64> {
        self.stop.cancel();
        Ok(CALLS * self.task.await??)
    }
}

/// One after the other, a transaction's calls take as long as this many writes.
const CALLS: i64 = 4;

/// The longest that one small write took, until `stop`.
async fn slowest_write_ms(producer: Producer, topic: String, stop: CancellationToken) -> Result<i64> {
    let probe = Outgoing::new(topic, 0, "probe", b"probe".to_vec());
    let mut slowest_ms = 0;
    while !stop.is_cancelled() {
        let began_ms = now_ms();
        tokio::time::sleep(Duration::from_millis(20)).await;
        producer.write(&probe).await?;
        slowest_ms = slowest_ms.max(now_ms() - began_ms - 20);
    }
    Ok(slowest_ms)
}

/// What is released, as it arrives.
pub struct Returns {
    _reader: Reader,
    items: mpsc::Receiver<Item>,
}

pub struct Released {
    pub at_ms: i64,
    pub delivery: Delivery,
}

impl Returns {
    /// The next one, or None when nothing arrives for `patience`.
    pub async fn next(&mut self, patience: Duration) -> Result<Option<Released>> {
        let Some(record) = self.record(patience).await? else {
            return Ok(None);
        };
        Ok(Some(Released {
            at_ms: now_ms(),
            delivery: decode(&record)?,
        }))
    }

    async fn record(&mut self, patience: Duration) -> Result<Option<Record>> {
        let deadline = Instant::now() + patience;
        while let Ok(item) = tokio::time::timeout_at(deadline, self.items.recv()).await {
            if let Item::Record(record) = item.context("the reader stopped")? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Waits for all of `due`, then for anything more until `quiet` has passed. Each exactly once.
    pub async fn each_once(&mut self, due: &HashMap<String, i64>, quiet: Duration) -> Result<Vec<Released>> {
        let mut released: HashMap<String, Released> = HashMap::new();
        loop {
            let patience = if released.len() < due.len() {
                Duration::from_secs(60)
            } else {
                quiet
            };
            let Some(next) = self.next(patience).await? else { break };
            let id = next.delivery.delivery_id.clone();
            let so_far = released.len();
            assert!(
                due.contains_key(&id),
                "{id} is none of those that are waited for, of which {so_far} have come; all: {due:?}"
            );
            assert!(released.insert(id.clone(), next).is_none(), "{id} was released twice");
        }
        assert_eq!(released.len(), due.len(), "all were released: {due:?}");
        Ok(released.into_values().collect())
    }
}

/// What this process has counted under this name with exactly these labels.
pub fn counted(name: &str, labels: &[(&str, &str)]) -> u64 {
    let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
    let series = format!("{name}{{{}}} ", labels.join(","));
    let rendered = runtime::metrics::install().render();
    let value = rendered.lines().find_map(|line| line.strip_prefix(&series));
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

fn decode(record: &Record) -> Result<Delivery> {
    let delivery: Delivery = schemas::decode(record.value.as_ref().context("a tombstone")?, &OwnSchemas)?;
    let endpoint = delivery.endpoint_id.as_bytes();
    assert_eq!(record.key.as_deref(), Some(endpoint));
    assert_eq!(
        record.partition,
        murmur2::partition(endpoint, LANES),
        "in its endpoint's shard"
    );
    Ok(delivery)
}

pub fn waiting(since_ms: i64, due_at_ms: i64) -> Delivery {
    let endpoint = format!("wh_{}", rand::random_range(0..40));
    Delivery {
        delivery_id: format!("dlv_{}", uuid::Uuid::new_v4().simple()),
        event_time_ms: since_ms,
        matched_at_ms: since_ms,
        attempts_made: 1,
        schedule_index: 1,
        cause: "retry".into(),
        due_at_ms,
        wait_since_ms: since_ms,
        hops: 1,
        ..samples::delivery(1, TENANT, &endpoint)
    }
}

fn endpoint(id: &str, status: &str, dedicated_topic: Option<i64>) -> Endpoint {
    Endpoint {
        id: id.into(),
        tenant: TENANT.into(),
        url: "https://example.com/".into(),
        description: None,
        event_type_filters: vec!["*".into()],
        resource_scopes: None,
        required_scopes: Vec::new(),
        status: status.into(),
        disabled_reason: None,
        disabled_at_ms: None,
        consecutive_failures: None,
        last_failure_at_ms: None,
        headers: BTreeMap::new(),
        rate_limit: None,
        max_in_flight: None,
        timeout_sec: None,
        retry_schedule_sec: None,
        ordering: "none".into(),
        on_exhausted: "skip".into(),
        placement: "dedicated".into(),
        dedicated_topic,
        envelope: "standard".into(),
        dialect: "standard".into(),
        disable_on_gone: true,
        signature_scheme: "v1".into(),
        signing_secret: Vec::new(),
        previous_signing_secret: None,
        previous_signing_secret_expires_at_ms: None,
        signing_key: None,
        previous_signing_key: None,
        public_key: None,
        metadata: BTreeMap::new(),
        created_at_ms: 1,
        updated_at_ms: 1,
        former_secrets: Vec::new(),
    }
}
