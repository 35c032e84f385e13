//! A delivery as it travels through delivery topics, `returns`, retry topics and the dead letters.

use serde::{Deserialize, Serialize};

/// One event for one endpoint, with the exact bytes to send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// `dlv_` + 26 characters: hash of event id and endpoint id, the same for every repeat.
    pub delivery_id: String,
    pub event_id: String,
    pub tenant: String,
    pub endpoint_id: String,
    pub event_type: String,
    /// The request body, signed and sent byte for byte.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    pub content_type: String,
    /// Timestamp of the source record, Unix milliseconds.
    pub event_time_ms: i64,
    /// When fan-out matched it, or it was replayed, Unix milliseconds: what `delivery.max_age_sec` counts from.
    pub matched_at_ms: i64,
    /// Where the event stands in its source topic.
    pub source: Source,
    /// Replay generation: 0 for the event itself, one more for each replay.
    pub generation: i32,
    /// Attempts already made, over all generations.
    pub attempts_made: i32,
    /// Attempts already made in this generation: the index into the retry schedule.
    pub schedule_index: i32,
    /// Why it travels: `event`, `retry`, `deferral` or `replay`.
    pub cause: String,
    /// Not to be sent before, Unix milliseconds; 0 when due at once.
    pub due_at_ms: i64,
    /// When the present wait began, Unix milliseconds; 0 when it isn't waiting.
    pub wait_since_ms: i64,
    /// Retry topics passed in the present wait.
    pub hops: i32,
    /// Once it has met an open circuit: when its last scheduled attempt falls due, Unix milliseconds.
    pub last_due_at_ms: Option<i64>,
    /// W3C trace context of the source record.
    pub traceparent: Option<String>,
    /// The last attempts, oldest first, at most `AttemptSummary::KEPT`.
    pub attempts: Vec<AttemptSummary>,
}

impl Delivery {
    /// Of this event for this endpoint, before its first attempt: due at once, from the beginning of its schedule. When it
    /// happened, where it came from and what is sent isn't set yet.
    #[must_use]
    pub fn blank(delivery_id: String, event_id: &str, tenant: &str, endpoint_id: String, event_type: &str) -> Self {
        Self {
            delivery_id,
            event_id: event_id.to_owned(),
            tenant: tenant.to_owned(),
            endpoint_id,
            event_type: event_type.to_owned(),
            body: Vec::new(),
            content_type: String::new(),
            event_time_ms: 0,
            matched_at_ms: 0,
            source: Source {
                topic: String::new(),
                partition: 0,
                offset: 0,
            },
            generation: 0,
            attempts_made: 0,
            schedule_index: 0,
            cause: "event".to_owned(),
            due_at_ms: 0,
            wait_since_ms: 0,
            hops: 0,
            last_due_at_ms: None,
            traceparent: None,
            attempts: Vec::new(),
        }
    }
}

/// Position of an event in its source topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// What one attempt came to, kept with the delivery so that a dead letter explains itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptSummary {
    /// 1 for the first attempt.
    pub number: i32,
    pub started_at_ms: i64,
    pub duration_ms: i64,
    pub status_code: Option<i32>,
    /// At most 256 characters.
    pub error: Option<String>,
    /// Its span in the trace of the delivery's `traceparent`, 16 hex digits; None when none was recorded.
    pub span_id: Option<String>,
}

impl AttemptSummary {
    /// How many are kept with a delivery.
    pub const KEPT: usize = 10;
}
