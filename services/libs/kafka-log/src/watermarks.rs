//! Where partitions begin and end, asked on a client of its own: on one that long-polls it takes up to 100 ms.

use crate::{Connection, Error, TopicPartition, leader};
use rdkafka::{
    config::FromClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use std::{sync::Arc, time::Duration};

const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks for first and end offsets. Cheap to clone.
#[derive(Clone)]
pub struct Watermarks {
    consumer: Arc<BaseConsumer>,
}

impl Watermarks {
    pub fn new(connection: &Connection) -> Result<Self, Error> {
        let config = connection.client(&[], &[("isolation.level", "read_committed")]);
        let consumer =
            BaseConsumer::from_config(&config).map_err(|e| Error::from_kafka(&e, "create a client for offsets"))?;
        Ok(Self {
            consumer: Arc::new(consumer),
        })
    }

    /// First offset still kept, and the end of what is committed (the last stable offset).
    pub async fn range(&self, topic: &str, partition: i32) -> Result<(i64, i64), Error> {
        let consumer = self.consumer.clone();
        let asked = TopicPartition::new(topic, partition);
        tokio::task::spawn_blocking(move || leader::watermarks(&consumer, &asked, CALL_TIMEOUT))
            .await
            .map_err(|_| Error::Stopped)?
    }

    /// Partitions of a topic.
    pub async fn partitions(&self, topic: &str) -> Result<i32, Error> {
        let consumer = self.consumer.clone();
        let topic = topic.to_owned();
        tokio::task::spawn_blocking(move || {
            let metadata = consumer
                .fetch_metadata(Some(&topic), CALL_TIMEOUT)
                .map_err(|e| Error::from_kafka(&e, &topic))?;
            match leader::partitions(&metadata, &topic).len() {
                0 => Err(Error::UnknownTopic(topic)),
                count => Ok(i32::try_from(count).unwrap_or(i32::MAX)),
            }
        })
        .await
        .map_err(|_| Error::Stopped)?
    }
}
