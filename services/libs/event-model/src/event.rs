//! The event itself, as fan-out works with it. Deliberately without any knowledge of formats and envelopes.

use schemas::Source;
use serde_json::value::RawValue;

/// What a producer published.
#[derive(Debug, Clone)]
pub struct Event {
    /// The producer's own id (up to 256 characters, no control characters), or derived from the record's position.
    pub id: String,
    pub tenant: String,
    pub event_type: String,
    /// RFC 3339, as the producer wrote it; without one, the record's timestamp.
    pub occurred_at: String,
    /// Byte for byte as it came: numbers, key order and inner white space survive. No object in it has a key twice.
    pub data: Box<RawValue>,
    /// `source` of an event that came as a CloudEvent: who produced it, as the producer says.
    pub cloud_source: Option<String>,
    /// W3C trace context, when the record carries a valid one.
    pub traceparent: Option<String>,
    /// The source record's timestamp, Unix milliseconds.
    pub timestamp_ms: i64,
    pub source: Source,
}
