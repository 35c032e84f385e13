//! One installation under a prefix of its own: topics, a clerk, and a fan-out that can be stopped and started again.

use anyhow::{Context, Result, ensure};
use fanout::{Options, Service, Source};
use kafka_log::{
    Admin, Connection, GroupOffsets, Item, Outgoing, Position, Producer, ReadOptions, Reader, ReaderOptions, Start,
    TopicPartition, Watermarks, topics,
};
use ledger::{Clerk, ClerkOptions, Entity, Keyring, Ledger, Writer, entities, seal_signing_secret};
use runtime::CancellationToken;
use schemas::{Endpoint, LogRecord, Matched, Rejected};
use std::{collections::BTreeMap, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

pub const LANES: i32 = 4;
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Bed {
    pub connection: Connection,
    pub producer: Producer,
    pub writer: Writer,
    pub admin: Admin,
    keyring: Keyring,
    offsets: GroupOffsets,
    watermarks: Watermarks,
    stop: CancellationToken,
    clerk: JoinHandle<()>,
}

/// A running fan-out.
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), fanout::Error>>,
}

impl Running {
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        timeout(PATIENCE, self.task).await.context("it stops in time")???;
        Ok(())
    }
}

/// A record as it stands in one of Hookline's topics.
#[derive(Debug, Clone)]
pub struct Read<R> {
    pub partition: i32,
    pub key: Vec<u8>,
    pub record: R,
}

impl Bed {
    pub async fn start() -> Result<Self> {
        let brokers = tokio::task::spawn_blocking(brokers::shared_bootstrap).await??;
        let connection = Connection::new(brokers, format!("t-{}.", uuid::Uuid::new_v4()), BTreeMap::new());
        let settings = topics::TopicSettings {
            lanes: LANES,
            replication_factor: Some(1),
            history_retention_days: 1,
            dlq_retention_days: 1,
            default_source: true,
        };
        let names = connection.names();
        let admin = Admin::new(&connection)?;
        let fixed = topics::fixed(names, &settings);
        let wanted: Vec<_> = fixed
            .into_iter()
            .filter(|topic| !topic.name.contains("retry."))
            .collect();
        futures::future::try_join_all(wanted.iter().map(|topic| topics::create(&admin, topic, 1))).await?;
        // A broker hears of a new topic a moment after the controller has made it.
        let known = async {
            while admin.topics(names.prefix()).await?.len() < wanted.len() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            anyhow::Ok(())
        };
        timeout(PATIENCE, known)
            .await
            .context("the topics are not there in time")??;
        let stop = CancellationToken::new();
        let ledger = Ledger::start(&connection).await?;
        let clerk = tokio::spawn({
            let (connection, ledger, stop) = (connection.clone(), ledger.clone(), stop.clone());
            async move {
                let ended = Clerk::run(&connection, &ledger, ClerkOptions::new(settings), stop).await;
                ended.expect("the clerk goes on until it is told to stop");
            }
        });
        Ok(Self {
            producer: Producer::new(&connection)?,
            writer: Writer::start(&connection, &ledger).await?,
            admin,
            keyring: Keyring::new(&Keyring::generate_key(), &[])?,
            offsets: GroupOffsets::new(&connection, &names.fanout_group())?,
            watermarks: Watermarks::new(&connection)?,
            stop,
            clerk,
            connection,
        })
    }

    pub async fn end(self) -> Result<()> {
        self.stop.cancel();
        timeout(PATIENCE, self.clerk)
            .await
            .context("the clerk stops in time")??;
        Ok(())
    }

    /// A topic of the test's own, with one partition unless it says otherwise.
    pub async fn topic(&self, name: &str, partitions: i32) -> Result<String> {
        let name = format!("{}{name}", self.connection.names().prefix());
        ensure!(
            self.admin
                .create(&name, partitions, 1, &[("max.message.bytes".into(), "2097152".into())])
                .await?
        );
        Ok(name)
    }

    pub async fn fanout(&self, sources: Vec<Source>) -> Result<Running> {
        let ledger = Ledger::start_without_secrets(&self.connection).await?;
        let stop = CancellationToken::new();
        let options = Options {
            sources,
            lanes: LANES,
            ..Options::default()
        };
        let (connection, token) = (self.connection.clone(), stop.clone());
        let task = tokio::spawn(async move { Service::run(&connection, options, ledger, token).await });
        Ok(Running { stop, task })
    }

    pub async fn tenant(&self, name: &str, catalogs: &[&str]) -> Result<String> {
        let catalogs = catalogs.iter().map(|c| (*c).to_owned()).collect();
        let tenant = entities::new_tenant(name, catalogs, runtime::clock::now_ms());
        let id = tenant.id.clone();
        self.writer.put(Entity::from(tenant), Some(0)).await?;
        Ok(id)
    }

    /// An endpoint in the lanes with all scopes, unless `change` says otherwise.
    pub async fn endpoint(&self, tenant: &str, filters: &[&str], change: impl FnOnce(&mut Endpoint)) -> Result<String> {
        let filters = filters.iter().map(|f| (*f).to_owned()).collect();
        let mut endpoint = entities::new_endpoint(tenant, "https://example.com/", filters, runtime::clock::now_ms());
        endpoint.placement = "shared".into();
        endpoint.required_scopes = [
            "vault",
            "vision_ocr",
            "transcription",
            "agent",
            "legal",
            "compute",
            "webhooks",
        ]
        .map(str::to_owned)
        .into();
        change(&mut endpoint);
        seal_signing_secret(&mut endpoint, &self.keyring, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let id = endpoint.id.clone();
        self.writer.put(Entity::from(endpoint), Some(0)).await?;
        Ok(id)
    }

    pub async fn publish(&self, topic: &str, value: impl Into<Vec<u8>>) -> Result<Position> {
        self.publish_with(topic, Some(value.into()), &[]).await
    }

    pub async fn publish_with(
        &self,
        topic: &str,
        value: Option<Vec<u8>>,
        headers: &[(&str, &[u8])],
    ) -> Result<Position> {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.to_vec()))
            .collect();
        let record = Outgoing {
            topic: topic.to_owned(),
            partition: Some(0),
            key: Some(b"k".to_vec()),
            value,
            headers,
        };
        Ok(self.producer.write(&record).await?)
    }

    /// Committed offset and metadata of each partition of a topic.
    pub async fn committed(&self, topic: &str) -> Result<Vec<(Option<i64>, String)>> {
        let count = self.watermarks.partitions(topic).await?;
        let partitions = (0..count).map(|p| TopicPartition::new(topic, p)).collect();
        Ok(self
            .offsets
            .committed(partitions)
            .await?
            .into_iter()
            .map(|c| (c.offset, c.metadata))
            .collect())
    }

    /// Waits until fan-out has committed everything in the topic.
    pub async fn settled(&self, topic: &str) -> Result<()> {
        self.until(&format!("{topic} is read to its end"), async || {
            for (partition, (offset, _)) in (0..).zip(self.committed(topic).await?) {
                let (first, end) = self.watermarks.range(topic, partition).await?;
                if first < end && offset.is_none_or(|offset| offset < end) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .await
    }

    pub async fn until(&self, what: &str, condition: impl AsyncFn() -> Result<bool>) -> Result<()> {
        let polled = async {
            let mut every = tokio::time::interval(Duration::from_millis(50));
            while !condition().await? {
                every.tick().await;
            }
            Ok(())
        };
        timeout(PATIENCE, polled)
            .await
            .with_context(|| format!("not in time: {what}"))?
    }

    /// Everything in a topic now, by partition.
    pub async fn read<R: schemas::Record>(&self, topic: &str) -> Result<Vec<Read<R>>> {
        let reader = Reader::start(&self.connection, &ReaderOptions::new("test"))?;
        let mut all = Vec::new();
        for partition in 0..self.watermarks.partitions(topic).await? {
            let (_, end) = self.watermarks.range(topic, partition).await?;
            let (sink, mut items) = mpsc::channel(64);
            let options = ReadOptions {
                report_reached: true,
                ..ReadOptions::new(Start::Beginning)
            };
            let mut next = reader.add(TopicPartition::new(topic, partition), options, sink).await?;
            while next < end {
                match timeout(PATIENCE, items.recv()).await?.context("the reader goes on")? {
                    Item::Reached { offset, .. } => next = next.max(offset),
                    Item::Record(record) => {
                        next = record.offset + 1;
                        let value = record.value.as_deref().context("no tombstone")?;
                        all.push(Read {
                            partition,
                            key: record.key.map(|key| key.to_vec()).unwrap_or_default(),
                            record: schemas::decode(value, &schemas::OwnSchemas)?,
                        });
                    }
                }
            }
        }
        Ok(all)
    }

    pub async fn lanes(&self) -> Result<Vec<Read<schemas::Delivery>>> {
        self.read(&self.connection.names().lanes()).await
    }

    pub async fn log(&self) -> Result<Vec<Read<LogRecord>>> {
        self.read(&self.connection.names().log()).await
    }

    /// The `matched` records, each with its event id and the endpoints in order.
    pub async fn matched(&self) -> Result<Vec<(String, Vec<String>, Matched)>> {
        let log = self.log().await?;
        Ok(log
            .into_iter()
            .filter_map(|read| Some((read.record.event_id, read.record.matched?)))
            .map(|(id, matched)| {
                let endpoints = matched.endpoints.iter().map(|e| e.endpoint_id.clone()).collect();
                (id, endpoints, matched)
            })
            .collect())
    }

    pub async fn rejected(&self) -> Result<Vec<Read<Rejected>>> {
        self.read(&self.connection.names().rejected()).await
    }
}
