//! Topics made, described, changed, truncated and deleted.

use crate::{Connection, Error, TopicPartition};
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{
        AdminClient, AdminOptions, AlterConfig, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
    },
    client::DefaultClientContext,
    config::FromClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Admin client. Cheap to clone.
#[derive(Clone)]
pub struct Admin {
    client: Arc<AdminClient<DefaultClientContext>>,
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    pub partitions: i32,
    pub replication: i32,
}

impl Admin {
    pub fn new(connection: &Connection) -> Result<Self, Error> {
        let client = AdminClient::from_config(&connection.client(&[], &[]))
            .map_err(|e| Error::from_kafka(&e, "create an admin client"))?;
        Ok(Self {
            client: Arc::new(client),
        })
    }

    fn options() -> AdminOptions {
        AdminOptions::new()
            .operation_timeout(Some(TIMEOUT))
            .request_timeout(Some(TIMEOUT))
    }

    /// All topics whose name begins with `prefix`, with partitions and replication.
    pub async fn topics(&self, prefix: &str) -> Result<BTreeMap<String, Described>, Error> {
        let client = self.client.clone();
        let prefix = prefix.to_owned();
        tokio::task::spawn_blocking(move || {
            let metadata = client
                .inner()
                .fetch_metadata(None, TIMEOUT)
                .map_err(|e| Error::from_kafka(&e, "list the topics"))?;
            let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
            Ok(metadata
                .topics()
                .iter()
                .filter(|t| t.name().starts_with(&prefix) && t.error().is_none())
                .map(|t| {
                    let replication = t.partitions().first().map_or(0, |p| p.replicas().len());
                    let described = Described {
                        partitions: count(t.partitions().len()),
                        replication: count(replication),
                    };
                    (t.name().to_owned(), described)
                })
                .collect())
        })
        .await
        .map_err(|_| Error::Stopped)?
    }

    /// Number of brokers that answer, and the id of one of them.
    pub async fn brokers(&self) -> Result<(usize, i32), Error> {
        let client = self.client.clone();
        tokio::task::spawn_blocking(move || {
            let metadata = client
                .inner()
                .fetch_metadata(Some("__none__"), TIMEOUT)
                .map_err(|e| Error::from_kafka(&e, "list the brokers"))?;
            let brokers = metadata.brokers();
            let one = brokers.first().map_or(-1, rdkafka::metadata::MetadataBroker::id);
            Ok((brokers.len(), one))
        })
        .await
        .map_err(|_| Error::Stopped)?
    }

    /// Makes a topic. False when it exists already. `replication` −1: the brokers' default.
    pub async fn create(
        &self,
        name: &str,
        partitions: i32,
        replication: i32,
        config: &[(String, String)],
    ) -> Result<bool, Error> {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replication));
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        let results = self
            .client
            .create_topics([&topic], &Self::options())
            .await
            .map_err(|e| Error::from_kafka(&e, &format!("create topic {name}")))?;
        match results.into_iter().next() {
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(false),
            Some(Err((_, code))) => Err(Error::from_code(code, &format!("create topic {name}"))),
            _ => {
                self.visible(name).await?;
                Ok(true)
            }
        }
    }

    /// Waits until brokers that are asked know a topic that was just made: they learn of it a moment later.
    async fn visible(&self, name: &str) -> Result<(), Error> {
        let client = self.client.clone();
        let name = name.to_owned();
        tokio::task::spawn_blocking(move || {
            let deadline = Instant::now() + TIMEOUT;
            loop {
                let metadata = client
                    .inner()
                    .fetch_metadata(Some(&name), TIMEOUT)
                    .map_err(|e| Error::from_kafka(&e, &name))?;
                let known = metadata
                    .topics()
                    .iter()
                    .any(|t| t.error().is_none() && !t.partitions().is_empty());
                if known {
                    return Ok(());
                }
                if Instant::now() > deadline {
                    return Err(Error::Unreachable(format!(
                        "topic {name} was made, but the brokers don't show it"
                    )));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        })
        .await
        .map_err(|_| Error::Stopped)?
    }

    /// Deletes a topic. False when there is none.
    pub async fn delete(&self, name: &str) -> Result<bool, Error> {
        let results = self
            .client
            .delete_topics(&[name], &Self::options())
            .await
            .map_err(|e| Error::from_kafka(&e, &format!("delete topic {name}")))?;
        match results.into_iter().next() {
            Some(Err((_, RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic))) => Ok(false),
            Some(Err((_, code))) => Err(Error::from_code(code, &format!("delete topic {name}"))),
            _ => Ok(true),
        }
    }

    /// A topic's settings, all of them.
    pub async fn settings(&self, name: &str) -> Result<HashMap<String, String>, Error> {
        self.describe(
            &ResourceSpecifier::Topic(name),
            &format!("describe topic {name}"),
            false,
        )
        .await
    }

    /// A broker's settings, all of them.
    pub async fn broker_settings(&self, id: i32) -> Result<HashMap<String, String>, Error> {
        self.describe(&ResourceSpecifier::Broker(id), &format!("describe broker {id}"), false)
            .await
    }

    async fn describe(
        &self,
        resource: &ResourceSpecifier<'_>,
        what: &str,
        only_set: bool,
    ) -> Result<HashMap<String, String>, Error> {
        let results = self
            .client
            .describe_configs([resource], &Self::options())
            .await
            .map_err(|e| Error::from_kafka(&e, what))?;
        let config = match results.into_iter().next() {
            Some(Ok(config)) => config,
            Some(Err(code)) => return Err(Error::from_code(code, what)),
            None => return Err(Error::Other(format!("{what}: no answer"))),
        };
        debug_assert!(matches!(
            config.specifier,
            OwnedResourceSpecifier::Topic(_) | OwnedResourceSpecifier::Broker(_)
        ));
        Ok(config
            .entries
            .into_iter()
            .filter(|e| !only_set || matches!(e.source, rdkafka::admin::ConfigSource::DynamicTopic))
            .filter_map(|e| Some((e.name, e.value?)))
            .collect())
    }

    /// Sets these settings of a topic and keeps the others that were set on it (altering replaces everything).
    pub async fn set(&self, name: &str, config: &[(String, String)]) -> Result<(), Error> {
        let what = format!("change topic {name}");
        let mut all = self.describe(&ResourceSpecifier::Topic(name), &what, true).await?;
        all.extend(config.iter().cloned());
        let mut alter = AlterConfig::new(ResourceSpecifier::Topic(name));
        for (key, value) in &all {
            alter = alter.set(key, value);
        }
        let results = self
            .client
            .alter_configs([&alter], &Self::options())
            .await
            .map_err(|e| Error::from_kafka(&e, &what))?;
        match results.into_iter().next() {
            Some(Err((_, code))) => Err(Error::from_code(code, &what)),
            _ => Ok(()),
        }
    }

    /// Deletes the records below the given offsets. Partitions that are gone are passed over.
    pub async fn delete_records(&self, below: &[(TopicPartition, i64)]) -> Result<(), Error> {
        if below.is_empty() {
            return Ok(());
        }
        let what = "delete records";
        let mut list = TopicPartitionList::with_capacity(below.len());
        for (partition, offset) in below {
            list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(*offset))
                .map_err(|e| Error::Other(format!("{what} below {offset} of {partition}: {e}")))?;
        }
        let answer = self
            .client
            .delete_records(&list, &Self::options())
            .await
            .map_err(|e| Error::from_kafka(&e, what))?;
        for element in answer.elements() {
            match element.error() {
                Ok(()) | Err(KafkaError::OffsetFetch(RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
                Err(error) => return Err(Error::from_kafka(&error, element.topic())),
            }
        }
        Ok(())
    }
}
