//! A rejected source record as it is kept: bounded, whatever the record was.

use kafka_log::Record;
use schemas::{Rejected, Source};
use std::collections::BTreeMap;

/// How many headers are kept, and how much of each name and value.
const KEPT_HEADERS: usize = 64;
const KEPT_HEADER_BYTES: usize = 1 << 10;
/// How much of a key is kept.
const KEPT_KEY_BYTES: usize = 64 << 10;

/// What goes to the `rejected` topic.
pub(crate) struct Rejection {
    pub(crate) reason: &'static str,
    /// The event's id, where that and its tenant are known: then the log says it too.
    pub(crate) event_id: Option<String>,
    /// The source record's key.
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) rejected: Rejected,
}

impl Rejection {
    pub(crate) fn new(
        record: &Record,
        reason: &'static str,
        message: String,
        tenant: Option<String>,
        event_type: Option<String>,
        now_ms: i64,
    ) -> Self {
        let value = record.value.as_deref().unwrap_or_default();
        let origin = Source {
            topic: record.topic.to_string(),
            partition: record.partition,
            offset: record.offset,
        };
        tracing::debug!(
            topic = origin.topic,
            partition = origin.partition,
            offset = origin.offset,
            reason,
            message,
            "rejected"
        );
        let rejected = Rejected {
            reason: reason.to_owned(),
            message,
            origin,
            tenant,
            event_type,
            rejected_at_ms: now_ms,
            value: first(value, Rejected::KEPT_VALUE_BYTES).to_vec(),
            value_bytes: i64::try_from(value.len()).unwrap_or(i64::MAX),
            headers: headers(record),
        };
        Self {
            reason,
            event_id: None,
            key: record.key.as_deref().map(|key| first(key, KEPT_KEY_BYTES).to_vec()),
            rejected,
        }
    }

    /// What decides the partition: the key, or the topic where there is none.
    pub(crate) fn partition_key(&self) -> &[u8] {
        self.key.as_deref().unwrap_or(self.rejected.origin.topic.as_bytes())
    }
}

fn headers(record: &Record) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(first(bytes, KEPT_HEADER_BYTES)).into_owned();
    record
        .headers
        .iter()
        .take(KEPT_HEADERS)
        .map(|(name, value)| (text(name.as_bytes()), text(value)))
        .collect()
}

fn first(bytes: &[u8], most: usize) -> &[u8] {
    &bytes[..bytes.len().min(most)]
}
