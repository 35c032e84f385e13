//! Records that are gone before they were read: counted and raised, never passed over in silence.

use crate::TopicPartition;

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
