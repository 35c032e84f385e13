//! Questions to the leader of a partition, who may not be the one that is remembered.
//!
//! librdkafka asks whom it knows as the leader, dead or alive, and looks for another only when that one says that it isn't.
//! What it was told of a topic (that it is unknown, that nobody leads it) it may remember for a quarter of an hour.

use crate::{Error, TopicPartition};
use rdkafka::{
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, KafkaResult},
    metadata::Metadata,
};
use std::time::Duration;

/// How long the remembered leader has for its answer.
const REMEMBERED: Duration = Duration::from_secs(3);
const NO_LEADER: i32 = -1;

/// Asks the remembered leader of a partition; when that comes to nothing that lasts, whoever the brokers say leads it.
/// `question` is given the time that it may take.
pub(crate) fn ask<C: ConsumerContext, T>(
    consumer: &BaseConsumer<C>,
    partition: &TopicPartition,
    timeout: Duration,
    question: impl Fn(Duration) -> KafkaResult<T>,
) -> Result<T, Error> {
    let what = partition.to_string();
    let failed = |error: KafkaError| Error::from_kafka(&error, &what);
    match question(REMEMBERED.min(timeout)).map_err(failed) {
        Err(error) if error.may_pass() => {}
        answer => return answer,
    }
    // What is told here is remembered from now on.
    let metadata = consumer
        .fetch_metadata(Some(&partition.topic), timeout)
        .map_err(failed)?;
    if has_no_leader(&metadata, partition) {
        return Err(Error::Unreachable(format!("{what} has no leader")));
    }
    question(timeout).map_err(failed)
}

/// Whether the partition is there, and all of its replicas that are in sync are away. The client calls it unknown.
fn has_no_leader(metadata: &Metadata, partition: &TopicPartition) -> bool {
    let topics = metadata.topics().iter().filter(|of| of.name() == &*partition.topic);
    let mut partitions = topics.flat_map(|of| of.partitions());
    partitions.any(|of| of.id() == partition.partition && of.leader() == NO_LEADER)
}
