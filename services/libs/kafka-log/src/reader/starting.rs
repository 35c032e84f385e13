//! From a wanted start to an offset. It waits for brokers: never to be called on the thread that reads.

use super::{
    Start, gaps,
    worker::{CALL_TIMEOUT, Offsets, one},
};
use crate::{Error, TopicPartition, leader};
use rdkafka::{Offset, consumer::Consumer};

/// The offset to begin at. One below the first that is kept is noted as a gap.
pub(super) fn offset(offsets: &Offsets, partition: &TopicPartition, start: Start) -> Result<i64, Error> {
    let (first, end) = leader::watermarks(offsets, partition, CALL_TIMEOUT)?;
    Ok(match start {
        Start::Beginning => first,
        Start::End => end,
        Start::Time(ms) => at_time(offsets, partition, ms)?.unwrap_or(end),
        Start::Offset(offset) if offset < first => {
            gaps::note(partition, offset, first);
            first
        }
        Start::Offset(offset) => offset,
    })
}

/// Offset of the first record of this time or later.
pub(super) fn at_time(offsets: &Offsets, partition: &TopicPartition, ms: i64) -> Result<Option<i64>, Error> {
    let what = partition.to_string();
    let answer = offsets
        .offsets_for_times(one(partition, ms)?, CALL_TIMEOUT)
        .map_err(|e| Error::from_kafka(&e, &what))?;
    let Some(element) = answer.find_partition(&partition.topic, partition.partition) else {
        return Ok(None);
    };
    element.error().map_err(|e| Error::from_kafka(&e, &what))?;
    Ok(match element.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    })
}
