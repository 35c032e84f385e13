//! What a group has committed, asked from outside it: never joins, never commits, so it disturbs nobody.

use crate::{Committed, Connection, Error, TopicPartition};
use rdkafka::{
    Offset, TopicPartitionList,
    config::FromClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use std::{sync::Arc, time::Duration};

const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks for the committed offsets of one group. Cheap to clone.
#[derive(Clone)]
pub struct GroupOffsets {
    consumer: Arc<BaseConsumer>,
}

impl GroupOffsets {
    pub fn new(connection: &Connection, group: &str) -> Result<Self, Error> {
        let config = connection.client(
            &[],
            &[
                ("group.id", group),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("isolation.level", "read_committed"),
            ],
        );
        let consumer = BaseConsumer::from_config(&config)
            .map_err(|e| Error::from_kafka(&e, &format!("create a client for the offsets of group {group}")))?;
        Ok(Self {
            consumer: Arc::new(consumer),
        })
    }

    /// What is committed for these partitions, in their order. Waits for open transactions that contain their offsets.
    pub async fn committed(&self, partitions: Vec<TopicPartition>) -> Result<Vec<Committed>, Error> {
        let consumer = self.consumer.clone();
        tokio::task::spawn_blocking(move || ask(&consumer, &partitions))
            .await
            .map_err(|_| Error::Stopped)?
    }
}

fn ask(consumer: &BaseConsumer, partitions: &[TopicPartition]) -> Result<Vec<Committed>, Error> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(&partition.topic, partition.partition);
    }
    let answer = consumer
        .committed_offsets(list, CALL_TIMEOUT)
        .map_err(|e| Error::from_kafka(&e, "fetch committed offsets"))?;
    partitions
        .iter()
        .map(|partition| {
            let element = answer
                .find_partition(&partition.topic, partition.partition)
                .ok_or_else(|| Error::Other(format!("fetch committed offsets: no answer for {partition}")))?;
            element
                .error()
                .map_err(|e| Error::from_kafka(&e, &partition.to_string()))?;
            let offset = match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            Ok(Committed {
                partition: partition.clone(),
                offset,
                metadata: element.metadata().to_owned(),
            })
        })
        .collect()
}
