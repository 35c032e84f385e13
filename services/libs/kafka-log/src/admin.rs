//! Topics made, described, changed, truncated and deleted.

use crate::{Connection, Error, TopicPartition, topics::TopicSpec};
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{
        AdminClient, AdminOptions, AlterConfig, ConfigEntry, ConfigResource, ConfigSource, NewTopic,
        OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
    },
    client::DefaultClientContext,
    config::FromClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    metadata::MetadataTopic,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

const TIMEOUT: Duration = Duration::from_secs(20);
/// Brokers learn of a new topic within milliseconds; overloaded ones have taken more than 20 s.
const VISIBLE_TIMEOUT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

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

    /// All topics whose name begins with `prefix`, with partitions and replication. Those that brokers can't tell of for
    /// the moment are waited for: they are there.
    pub async fn topics(&self, prefix: &str) -> Result<BTreeMap<String, Described>, Error> {
        let client = self.client.clone();
        let prefix = prefix.to_owned();
        let ask = move || {
            let deadline = Instant::now() + TIMEOUT;
            loop {
                let metadata = client
                    .inner()
                    .fetch_metadata(None, TIMEOUT)
                    .map_err(|e| Error::from_kafka(&e, "list the topics"))?;
                let listed = metadata.topics().iter().filter(|t| t.name().starts_with(&prefix));
                match describe_all(listed.map(Listed::of)) {
                    Err(error) if error.is_retryable() && Instant::now() < deadline => thread::sleep(LOOK_AGAIN),
                    result => return result,
                }
            }
        };
        tokio::task::spawn_blocking(ask).await.map_err(|_| Error::Stopped)?
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
        let topic = TopicSpec {
            name: name.to_owned(),
            partitions,
            config: config.to_vec(),
        };
        let made = self.create_all(&[topic], replication).await?;
        Ok(!made.is_empty())
    }

    /// Makes topics, each with its partitions and settings, in one call; returns the names of those that weren't there.
    /// They are visible when it returns.
    pub async fn create_all(&self, topics: &[TopicSpec], replication: i32) -> Result<Vec<String>, Error> {
        let mut wanted = Vec::with_capacity(topics.len());
        for TopicSpec {
            name,
            partitions,
            config,
        } in topics
        {
            let mut topic = NewTopic::new(name, *partitions, TopicReplication::Fixed(replication));
            for (key, value) in config {
                topic = topic.set(key, value);
            }
            wanted.push(topic);
        }
        let results = self
            .client
            .create_topics(&wanted, &Self::options())
            .await
            .map_err(|e| Error::from_kafka(&e, "create topics"))?;
        let mut made = Vec::new();
        for result in results {
            match result {
                Ok(name) => made.push(name),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                // One that is being shut down gets no replica; soon it is away, and counts again.
                Err((name, RDKafkaErrorCode::InvalidReplicationFactor)) if self.has_brokers(replication).await? => {
                    let what = format!("create topic {name}: a broker is being shut down");
                    return Err(Error::Unreachable(what));
                }
                Err((name, code)) => return Err(Error::from_code(code, &format!("create topic {name}"))),
            }
        }
        self.visible(made.clone()).await?;
        Ok(made)
    }

    async fn has_brokers(&self, wanted: i32) -> Result<bool, Error> {
        let (brokers, _) = self.brokers().await?;
        Ok(i32::try_from(brokers).is_ok_and(|brokers| brokers >= wanted))
    }

    /// Waits until brokers that are asked know topics that were just made: they learn of them a moment later.
    async fn visible(&self, names: Vec<String>) -> Result<(), Error> {
        let client = self.client.clone();
        let ask = move || {
            let deadline = Instant::now() + VISIBLE_TIMEOUT;
            for name in names {
                loop {
                    let metadata = client
                        .inner()
                        .fetch_metadata(Some(&name), TIMEOUT)
                        .map_err(|e| Error::from_kafka(&e, &name))?;
                    let known = |t: &MetadataTopic| t.error().is_none() && !t.partitions().is_empty();
                    if metadata.topics().iter().any(known) {
                        break;
                    }
                    if Instant::now() > deadline {
                        let what = format!("topic {name} was made, but the brokers don't show it");
                        return Err(Error::Unreachable(what));
                    }
                    thread::sleep(LOOK_AGAIN);
                }
            }
            Ok(())
        };
        tokio::task::spawn_blocking(ask).await.map_err(|_| Error::Stopped)?
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

    /// The settings of each of these topics, all of them.
    pub async fn settings(&self, names: &[&str]) -> Result<HashMap<String, HashMap<String, String>>, Error> {
        let resources: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let described = self.describe(&resources, "describe topics").await?;
        Ok(described
            .into_iter()
            .filter_map(|resource| match resource.specifier {
                OwnedResourceSpecifier::Topic(name) => Some((name, values(resource.entries, |_| true))),
                _ => None,
            })
            .collect())
    }

    /// A broker's settings, all of them.
    pub async fn broker_settings(&self, id: i32) -> Result<HashMap<String, String>, Error> {
        let described = self
            .describe(&[ResourceSpecifier::Broker(id)], &format!("describe broker {id}"))
            .await?;
        Ok(described
            .into_iter()
            .flat_map(|resource| values(resource.entries, |_| true))
            .collect())
    }

    async fn describe(&self, resources: &[ResourceSpecifier<'_>], what: &str) -> Result<Vec<ConfigResource>, Error> {
        if resources.is_empty() {
            return Ok(Vec::new());
        }
        let results = self
            .client
            .describe_configs(resources, &Self::options())
            .await
            .map_err(|e| Error::from_kafka(&e, what))?;
        results
            .into_iter()
            .map(|result| result.map_err(|code| Error::from_code(code, what)))
            .collect()
    }

    /// Sets these settings of a topic and keeps the others that were set on it (altering replaces everything).
    pub async fn set(&self, name: &str, config: &[(String, String)]) -> Result<(), Error> {
        let what = format!("change topic {name}");
        let described = self.describe(&[ResourceSpecifier::Topic(name)], &what).await?;
        let set_here = |entry: &ConfigEntry| matches!(entry.source, ConfigSource::DynamicTopic);
        let mut all: HashMap<String, String> = described
            .into_iter()
            .flat_map(|resource| values(resource.entries, set_here))
            .collect();
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

/// What brokers say of a topic.
struct Listed<'a> {
    name: &'a str,
    error: Option<RDKafkaErrorCode>,
    partitions: usize,
    replication: usize,
}

impl<'a> Listed<'a> {
    fn of(topic: &'a MetadataTopic) -> Self {
        let partitions = topic.partitions();
        Self {
            name: topic.name(),
            error: topic.error().map(Into::into),
            partitions: partitions.len(),
            replication: partitions.first().map_or(0, |p| p.replicas().len()),
        }
    }
}

/// An error that passes says nothing about whether the topic is there: with partitions it is, without any nobody can tell.
fn describe_all<'a>(listed: impl Iterator<Item = Listed<'a>>) -> Result<BTreeMap<String, Described>, Error> {
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let mut topics = BTreeMap::new();
    for topic in listed {
        match topic.error.map(|code| Error::from_code(code, topic.name)) {
            Some(error) if !error.is_retryable() => continue,
            Some(error) if topic.partitions == 0 => return Err(error),
            _ => {}
        }
        let described = Described {
            partitions: count(topic.partitions),
            replication: count(topic.replication),
        };
        topics.insert(topic.name.to_owned(), described);
    }
    Ok(topics)
}

fn values(entries: Vec<ConfigEntry>, wanted: impl Fn(&ConfigEntry) -> bool) -> HashMap<String, String> {
    entries
        .into_iter()
        .filter(wanted)
        .filter_map(|entry| Some((entry.name, entry.value?)))
        .collect()
}

#[cfg(test)]
mod tests {
    //! What brokers say while a topic is being made, which no test can have them say when it wants.
    use super::*;

    fn listed(name: &str, error: Option<RDKafkaErrorCode>, partitions: usize) -> Listed<'_> {
        Listed {
            name,
            error,
            partitions,
            replication: 3,
        }
    }

    #[test]
    fn a_topic_that_nobody_leads_yet_is_not_missing() {
        let names = |all: Vec<Listed<'_>>| {
            let described = describe_all(all.into_iter())?;
            Ok::<_, Error>(described.into_keys().collect::<Vec<_>>())
        };
        let no_leader = Some(RDKafkaErrorCode::LeaderNotAvailable);
        let well = || listed("well", None, 4);
        assert_eq!(
            names(vec![well(), listed("new", no_leader, 4)]).ok(),
            Some(vec!["new".to_owned(), "well".to_owned()])
        );
        let unknown = names(vec![well(), listed("new", no_leader, 0)]);
        assert!(unknown.is_err_and(|error| error.is_retryable()), "asked again");
        for gone in [
            RDKafkaErrorCode::UnknownTopicOrPartition,
            RDKafkaErrorCode::TopicAuthorizationFailed,
        ] {
            let there = names(vec![well(), listed("gone", Some(gone), 0)]);
            assert_eq!(there.ok(), Some(vec!["well".to_owned()]), "{gone:?}");
        }
    }
}
