//! A prefix of its own on a real Kafka for each test, and what the tests put there and read back.

use anyhow::{Context, Result, ensure};
use kafka_log::{
    Admin, Connection, Item, Outgoing, Producer, ReadOptions, Reader, ReaderOptions, Record, Start, TopicPartition,
    Watermarks,
    topics::{self, TopicSettings},
};
use ledger::Ledger;
use schemas::{AttemptSummary, DeadLetter, Delivery, Endpoint, LedgerEntry, LogRecord, OwnSchemas, samples};
use std::{collections::BTreeMap, process::Command, time::Duration};
use tokio::sync::mpsc;

pub const LANES: i32 = 4;
pub const TENANT: &str = "org_test";

pub struct World {
    pub connection: Connection,
    pub producer: Producer,
    pub ledger: Ledger,
    reader: Reader,
    watermarks: Watermarks,
}

impl World {
    /// New topics, and these endpoints with their status in the ledger.
    pub async fn new(endpoints: &[(&str, &str)]) -> Result<Self> {
        let bootstrap = tokio::task::spawn_blocking(brokers::shared_bootstrap).await??;
        let connection = Connection::new(bootstrap, format!("t-{}.", uuid::Uuid::new_v4()), BTreeMap::new());
        let names = connection.names();
        let settings = TopicSettings {
            lanes: LANES,
            replication_factor: Some(1),
            history_retention_days: 1,
            dlq_retention_days: 1,
            default_source: false,
        };
        let wanted = [names.dlq(), names.returns(), names.log(), names.ledger()];
        let specs: Vec<_> = topics::fixed(names, &settings)
            .into_iter()
            .filter(|spec| wanted.contains(&spec.name))
            .collect();
        topics::apply(&Admin::new(&connection)?, &settings, &specs).await?;
        let watermarks = Watermarks::new(&connection)?;
        for spec in &specs {
            for partition in 0..spec.partitions {
                // A new topic's leaders aren't known everywhere at once.
                while let Err(error) = watermarks.range(&spec.name, partition).await {
                    ensure!(error.is_retryable(), error);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        let producer = Producer::new(&connection)?;
        for (id, status) in endpoints {
            producer.write(&endpoint(&connection, id, status)?).await?;
        }
        Self::at(connection).await
    }

    /// What another process made.
    pub async fn at(connection: Connection) -> Result<Self> {
        Ok(Self {
            producer: Producer::new(&connection)?,
            ledger: Ledger::start(&connection).await?,
            reader: Reader::start(&connection, &ReaderOptions::new("test"))?,
            watermarks: Watermarks::new(&connection)?,
            connection,
        })
    }

    pub async fn set_status(&self, id: &str, status: &str) -> Result<()> {
        self.producer.write(&endpoint(&self.connection, id, status)?).await?;
        Ok(())
    }

    /// Writes dead letters as a dispatcher does.
    pub async fn bury(&self, letters: &[DeadLetter]) -> Result<()> {
        let records: Vec<_> = letters
            .iter()
            .map(|letter| {
                let delivery = &letter.delivery;
                let partition = delivery_core::murmur2::partition(delivery.delivery_id.as_bytes(), 8);
                let key = DeadLetter::key(&delivery.delivery_id, delivery.generation);
                Ok(Outgoing::new(
                    self.connection.names().dlq(),
                    partition,
                    key,
                    schemas::encode(letter)?,
                ))
            })
            .collect::<Result<_>>()?;
        self.producer.write_all(&records).await?;
        Ok(())
    }

    /// All committed records of a topic.
    pub async fn records(&self, topic: &str) -> Result<Vec<Record>> {
        let mut all = Vec::new();
        for partition in 0..self.watermarks.partitions(topic).await? {
            let (first, end) = self.watermarks.range(topic, partition).await?;
            let (sink, mut items) = mpsc::channel(100);
            let options = ReadOptions {
                report_reached: true,
                ..ReadOptions::new(Start::Beginning)
            };
            self.reader
                .add(TopicPartition::new(topic, partition), options, sink)
                .await?;
            let mut next = first;
            while next < end {
                let item = tokio::time::timeout(Duration::from_secs(30), items.recv()).await?;
                match item.context("the reader stopped")? {
                    Item::Record(record) => {
                        next = record.offset + 1;
                        all.push(record);
                    }
                    Item::Reached { offset, .. } => next = next.max(offset),
                }
            }
        }
        Ok(all)
    }

    pub async fn returned(&self) -> Result<Vec<Delivery>> {
        let records = self.records(&self.connection.names().returns()).await?;
        records
            .iter()
            .map(|record| {
                let delivery: Delivery = schemas::decode(record.value.as_ref().context("a tombstone")?, &OwnSchemas)?;
                let key = delivery.endpoint_id.as_bytes();
                ensure!(record.key.as_deref() == Some(key), "keyed by endpoint");
                ensure!(
                    record.partition == delivery_core::murmur2::partition(key, LANES),
                    "in the endpoint's shard"
                );
                Ok(delivery)
            })
            .collect()
    }

    pub async fn logged(&self) -> Result<Vec<LogRecord>> {
        let records = self.records(&self.connection.names().log()).await?;
        let decode = |record: &Record| {
            Ok(schemas::decode(
                record.value.as_ref().context("no value")?,
                &OwnSchemas,
            )?)
        };
        records.iter().map(decode).collect()
    }

    /// Ends of all partitions of the topics that a replay writes.
    pub async fn ends(&self) -> Result<Vec<i64>> {
        let names = self.connection.names();
        let mut ends = Vec::new();
        for topic in [names.dlq(), names.returns(), names.log()] {
            for partition in 0..self.watermarks.partitions(&topic).await? {
                ends.push(self.watermarks.range(&topic, partition).await?.1);
            }
        }
        Ok(ends)
    }

    /// Runs a test function named `child` of this binary as a process of its own, to crash at `point`.
    pub fn child(&self, test: &str, point: &str) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["--exact", test, "--ignored", "--nocapture"])
            .env("KAFKA_BROKERS", self.connection.brokers())
            .env("HOOKLINE_TEST_PREFIX", self.connection.names().prefix())
            .env("HOOKLINE_CRASH_AT", point);
        Ok(command)
    }
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

pub fn letter(number: usize, endpoint: &str) -> DeadLetter {
    DeadLetter {
        delivery: Delivery {
            event_time_ms: 1_000,
            matched_at_ms: 1_001,
            attempts_made: 9,
            schedule_index: 8,
            cause: "retry".into(),
            due_at_ms: 5_000,
            wait_since_ms: 4_000,
            hops: 2,
            attempts: vec![AttemptSummary {
                number: 9,
                started_at_ms: 5_001,
                duration_ms: 12,
                status_code: Some(500),
                error: None,
                span_id: None,
            }],
            ..samples::delivery(number, TENANT, endpoint)
        },
        reason: "retries_exhausted".into(),
        died_at_ms: 10_000 + i64::try_from(number).unwrap_or(0),
    }
}

fn endpoint(connection: &Connection, id: &str, status: &str) -> Result<Outgoing> {
    let endpoint = Endpoint {
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
        placement: "shared".into(),
        dedicated_topic: None,
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
    };
    ledger_record(connection, "endpoint", id, schemas::encode(&endpoint)?)
}

fn ledger_record(connection: &Connection, kind: &str, id: &str, entity: Vec<u8>) -> Result<Outgoing> {
    let entry = LedgerEntry {
        kind: kind.into(),
        id: id.into(),
        version: 1,
        written_at_ms: 1,
        request_id: "test".into(),
        entity,
    };
    Ok(Outgoing::new(
        connection.names().ledger(),
        0,
        format!("{kind}/{id}"),
        schemas::encode(&entry)?,
    ))
}
