//! Records that are gone before they were read: counted and raised, never passed over in silence.

use super::worker::{CALL_TIMEOUT, Worker};
use crate::TopicPartition;
use rdkafka::{Offset, consumer::Consumer};

/// Notes that the records in `wanted..first` of a partition were deleted before anybody read them. The number of
/// offsets is an upper bound of the records: transaction markers occupy offsets too.
pub(super) fn note(partition: &TopicPartition, wanted: i64, first: i64) {
    let lost = u64::try_from(first - wanted).unwrap_or(0);
    metrics::counter!("hookline_lost_records_total", "topic_class" => class(&partition.topic)).increment(lost);
    tracing::error!(
        %partition, wanted, first, lost,
        "records were deleted before they were read; run `hookline topics check` to see which topic setting did it"
    );
}

/// Bounded label: the topic without an endpoint's or a tier's part.
fn class(topic: &str) -> &'static str {
    const CLASSES: [&str; 8] = [
        "lanes",
        "returns",
        "ledger.requests",
        "ledger.outcomes",
        "ledger",
        "log",
        "dlq",
        "ingest",
    ];
    if topic.contains(".endpoint.") || topic.contains("endpoint.wh_") {
        return "endpoint";
    }
    if topic.contains("retry.") {
        return "retry";
    }
    CLASSES
        .into_iter()
        .find(|class| topic.ends_with(class))
        .unwrap_or("source")
}

impl Worker {
    /// Finds the partitions whose next offset is no longer kept, raises it, and goes on at the first one kept.
    pub(super) fn repair_gaps(&mut self) {
        let Self {
            consumer,
            offsets,
            readings,
            ..
        } = self;
        for (partition, reading) in readings.iter_mut() {
            let number = partition.partition;
            let Ok((first, end)) = offsets.fetch_watermarks(&partition.topic, number, CALL_TIMEOUT) else {
                continue;
            };
            let next = reading.next;
            let to = if next < first {
                note(&partition, next, first);
                first
            } else if next > end {
                tracing::error!(%partition, next, end, "the log ends before the offset to read: was the topic recreated?");
                end
            } else {
                continue;
            };
            if let Err(error) = consumer.seek(&partition.topic, number, Offset::Offset(to), CALL_TIMEOUT) {
                tracing::error!(%partition, %error, "seek past a gap");
            }
            reading.next = to;
        }
    }
}
