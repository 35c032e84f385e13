//! Where a partition begins and ends, asked of its leader, who may not be the one that is remembered.
//!
//! librdkafka asks whom it knows as the leader, dead or alive, and looks for another only when that one says that it isn't.
//! What it was told of a topic (that it is unknown, that nobody leads it) it may remember for a quarter of an hour.

use crate::{Error, TopicPartition};
use rdkafka::{
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError,
    metadata::{Metadata, MetadataPartition},
};
use std::time::Duration;

/// How long the remembered leader has for its answer.
const REMEMBERED: Duration = Duration::from_secs(3);
const NO_LEADER: i32 = -1;

/// First and end offset. Asks the remembered leader; when that comes to nothing that lasts, whoever the brokers say leads
/// the partition. Each question may take `timeout`.
pub(crate) fn watermarks<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partition: &TopicPartition,
    timeout: Duration,
) -> Result<(i64, i64), Error> {
    let what = partition.to_string();
    let failed = |error: KafkaError| Error::from_kafka(&error, &what);
    let ask = |timeout| {
        let answer = consumer.fetch_watermarks(&partition.topic, partition.partition, timeout);
        answer.map_err(failed)
    };
    match ask(REMEMBERED.min(timeout)) {
        Err(error) if error.may_pass() => {}
        answer => return answer,
    }
    // What is told here is remembered from now on.
    let metadata = consumer
        .fetch_metadata(Some(&partition.topic), timeout)
        .map_err(failed)?;
    // All of its replicas that are in sync are away: the client calls it unknown.
    let has_no_leader = |of: &MetadataPartition| of.id() == partition.partition && of.leader() == NO_LEADER;
    if partitions(&metadata, &partition.topic).iter().any(has_no_leader) {
        return Err(Error::Unreachable(format!("{what} has no leader")));
    }
    ask(timeout)
}

/// What brokers list of a topic: nothing when they don't know it.
pub(crate) fn partitions<'m>(metadata: &'m Metadata, topic: &str) -> &'m [MetadataPartition] {
    let found = metadata.topics().iter().find(|of| of.name() == topic);
    found.map_or(&[], |of| of.partitions())
}
