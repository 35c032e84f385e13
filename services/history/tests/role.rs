//! The role on a real Kafka, in this process: what it does when somebody else has written the database, and when a record's
//! schema isn't known yet. Whole flows are tested with the real binary (acceptance).

use anyhow::{Context, Result};
use delivery_core::murmur2::partition;
use history::{Options, Service};
use history_store::{Batch, Reached, Store};
use kafka_log::{
    Admin, Connection, Outgoing, Producer,
    topics::{self, TopicSettings},
};
use ledger::{Ledger, Writer};
use runtime::{CancellationToken, clock::now_ms};
use schemas::{Installation, LedgerEntry, LogRecord, Matched, MatchedEndpoint, Record, SchemaEntry, Source};
use std::{collections::BTreeMap, time::Duration};
use tokio::{task::JoinHandle, time::Instant};

const TENANT: &str = "org_test";
const PATIENCE: Duration = Duration::from_secs(60);
const LOG_PARTITIONS: i32 = 16;

struct World {
    connection: Connection,
    producer: Producer,
    store: Store,
    stop: CancellationToken,
    role: Option<JoinHandle<Result<(), history::Error>>>,
    _directory: tempfile::TempDir,
}

impl World {
    async fn start() -> Result<Self> {
        runtime::metrics::install();
        let bootstrap = tokio::task::spawn_blocking(brokers::shared_bootstrap).await??;
        let connection = Connection::new(bootstrap, format!("t-{}.", uuid::Uuid::new_v4()), BTreeMap::new());
        let settings = TopicSettings {
            lanes: 2,
            replication_factor: Some(1),
            history_retention_days: 1,
            dlq_retention_days: 1,
            default_source: false,
        };
        let names = connection.names();
        let wanted = [
            names.log(),
            names.ledger(),
            names.ledger_requests(),
            names.ledger_outcomes(),
        ];
        let specs = topics::fixed(names, &settings);
        let specs: Vec<_> = specs.into_iter().filter(|spec| wanted.contains(&spec.name)).collect();
        topics::apply(&Admin::new(&connection)?, &settings, &specs).await?;
        let directory = tempfile::tempdir()?;
        let mut world = Self {
            producer: Producer::new(&connection)?,
            store: Store::new(&format!("sqlite://{}/history.db", directory.path().display()))?,
            stop: CancellationToken::new(),
            role: None,
            connection,
            _directory: directory,
        };
        let installation = Installation {
            incarnation: "test".into(),
            lanes: 2,
            created_at_ms: 1,
        };
        world
            .configure("installation", "installation", schemas::encode(&installation)?)
            .await?;
        world.role = Some(world.run().await?);
        Ok(world)
    }

    async fn run(&self) -> Result<JoinHandle<Result<(), history::Error>>> {
        let ledger = Ledger::start(&self.connection).await?;
        let writer = Writer::start(&self.connection, &ledger).await?;
        let (connection, store, stop) = (self.connection.clone(), self.store.clone(), self.stop.clone());
        let options = Options::new(Duration::from_secs(86_400));
        // As `hookline serve` does it: what passes by itself begins anew.
        Ok(tokio::spawn(async move {
            loop {
                let (options, store, ledger) = (options.clone(), store.clone(), ledger.clone());
                let running = Service::run(&connection, options, store, ledger, writer.clone(), stop.clone());
                match running.await {
                    Err(error) if error.is_retryable() && !stop.is_cancelled() => {
                        eprintln!("the role begins anew: {error}");
                    }
                    ended => return ended,
                }
            }
        }))
    }

    async fn configure(&self, kind: &str, id: &str, entity: Vec<u8>) -> Result<()> {
        let entry = LedgerEntry {
            kind: kind.into(),
            id: id.into(),
            version: 1,
            written_at_ms: 1,
            request_id: "test".into(),
            entity,
        };
        let value = schemas::encode(&entry)?;
        let record = Outgoing::new(self.connection.names().ledger(), 0, format!("{kind}/{id}"), value);
        self.producer.write(&record).await?;
        Ok(())
    }

    /// Writes that an event was matched; returns its partition and offset.
    async fn log(&self, event: &str, value: Vec<u8>) -> Result<(i32, i64)> {
        let at = partition(event.as_bytes(), LOG_PARTITIONS);
        let record = Outgoing::new(self.connection.names().log(), at, event, value);
        let position = self.producer.write(&record).await?;
        Ok((position.partition, position.offset))
    }

    async fn matched(&self, event: &str) -> Result<(i32, i64)> {
        self.log(event, schemas::encode(&matched(event))?).await
    }

    async fn is_known(&self, event: &str) -> Result<bool> {
        // Before the role has made the tables there is nothing.
        Ok(self.store.check().await.is_ok() && self.store.event(TENANT, event).await?.is_some())
    }

    async fn until_known(&self, event: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_known(event).await? {
            assert!(Instant::now() < deadline, "{event} is not in the history");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn end(mut self) -> Result<()> {
        self.stop.cancel();
        Ok(self.role.take().context("it runs")?.await??)
    }
}

fn matched(event: &str) -> LogRecord {
    LogRecord {
        matched: Some(Matched {
            event_type: "a.b".into(),
            occurred_at: "2026-11-21T10:00:00Z".into(),
            data: b"{}".to_vec(),
            source: Source {
                topic: "events".into(),
                partition: 0,
                offset: 1,
            },
            ledger_version: 1,
            chunk: 0,
            chunks: 1,
            endpoints: vec![MatchedEndpoint {
                endpoint_id: "wh_1".into(),
                delivery_id: format!("dlv_{event}"),
            }],
            event_time_ms: 1,
            cloud_source: None,
            traceparent: None,
        }),
        ..LogRecord::blank(event, TENANT, "a.b", now_ms())
    }
}

/// Names of events that go to the same partition.
fn neighbours(count: usize) -> Vec<String> {
    let of = |event: &String| partition(event.as_bytes(), LOG_PARTITIONS);
    let first = of(&"evt_0".to_owned());
    (0..)
        .map(|n| format!("evt_{n}"))
        .filter(|event| of(event) == first)
        .take(count)
        .collect()
}

/// As after a rebalance in which two processes owned the partition for a moment.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_has_projected_is_gone_on_from() -> Result<()> {
    let world = World::start().await?;
    let events = neighbours(40);
    let (at, offset) = world.matched(&events[0]).await?;
    world.until_known(&events[0]).await?;

    // Somebody takes the partition further, over records that come only then.
    let mut batch = Batch::default();
    batch.reached.push(Reached {
        partition: at,
        from: Some(offset + 1),
        to: offset + 3,
    });
    world.store.write(&batch).await?;
    // In one batch of the broker's: they are there together.
    let records: Vec<Outgoing> = events[1..]
        .iter()
        .map(|event| {
            Ok(Outgoing::new(
                world.connection.names().log(),
                at,
                event.as_bytes(),
                schemas::encode(&matched(event))?,
            ))
        })
        .collect::<Result<_>>()?;
    world.producer.write_all(&records).await?;
    // The first two are the other one's; everything after them is here.
    for event in &events[3..] {
        world.until_known(event).await?;
    }
    assert!(!world.is_known(&events[1]).await? && !world.is_known(&events[2]).await?);
    let next = world.store.next_offsets().await?;
    assert_eq!(next.get(&at), Some(&(offset + 40)));
    let counters = world.store.counters(&["wh_1"]).await?;
    assert_eq!(counters["wh_1"].pending, 38, "each counts once");
    world.end().await
}

/// A record as a later version would write it: one more field, known by a schema of its own.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_schema_holds_up_its_partition_until_it_is_known_and_no_other() -> Result<()> {
    let world = World::start().await?;
    let here = neighbours(3);
    let elsewhere: String = (0..)
        .map(|n| format!("other_{n}"))
        .find(|event| partition(event.as_bytes(), LOG_PARTITIONS) != partition(here[0].as_bytes(), LOG_PARTITIONS))
        .context("there are 16 partitions")?;
    let avsc = LogRecord::avsc();
    let end = avsc.rfind(']').context("a record schema ends with its fields")?;
    let field = r#"{"name": "added_later", "type": "string", "default": ""}"#;
    let schema = format!("{}, {field}{}", &avsc[..end], &avsc[end..]);
    let (fingerprint, _) = schemas::codec::parse_schema(&schema)?;
    let mut newer = schemas::encode(&matched(&here[0]))?;
    newer[2..10].copy_from_slice(&fingerprint.to_le_bytes());
    newer.extend([4, b'o', b'k']);
    world.log(&here[0], newer).await?;
    world.matched(&here[1]).await?;
    world.matched(&elsewhere).await?;
    world.until_known(&elsewhere).await?;
    assert!(
        !world.is_known(&here[0]).await? && !world.is_known(&here[1]).await?,
        "it is never passed over"
    );

    let fingerprint = format!("{fingerprint:016x}");
    let entry = SchemaEntry {
        fingerprint: fingerprint.clone(),
        schema,
    };
    world
        .configure("schema", &fingerprint, schemas::encode(&entry)?)
        .await?;
    world.until_known(&here[0]).await?;
    world.until_known(&here[1]).await?;
    world.end().await
}
