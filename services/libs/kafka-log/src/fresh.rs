//! Questions that librdkafka answers from what it remembers of topics. Once it was told that a topic is unknown, as by a
//! broker that has only just come back, it may remember that for a quarter of an hour without asking again.

use crate::{Error, TopicPartition};
use rdkafka::{
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
};
use std::time::Duration;

/// Asks about a partition; once more after the brokers were asked for its leader, if the answer may come from memory.
pub(crate) fn ask<C: ConsumerContext, T>(
    consumer: &BaseConsumer<C>,
    partition: &TopicPartition,
    timeout: Duration,
    question: impl Fn() -> KafkaResult<T>,
) -> Result<T, Error> {
    let answer = match question() {
        Err(error) if may_be_remembered(&error) => consumer
            .fetch_metadata(Some(&partition.topic), timeout)
            .and_then(|_| question()),
        answer => answer,
    };
    answer.map_err(|error| Error::from_kafka(&error, &partition.to_string()))
}

fn may_be_remembered(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::UnknownTopicOrPartition
                | Code::UnknownTopic
                | Code::UnknownPartition
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
                | Code::FencedLeaderEpoch
                | Code::UnknownLeaderEpoch
        )
    )
}
