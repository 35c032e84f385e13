//! The `log` topic: everything that happened to an event, in the order it was written per event.

use super::{attempt::AttemptLogged, delivery::Source};
use serde::{Deserialize, Serialize};

/// Key: the event id. Exactly one of the five parts is set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogRecord {
    pub event_id: String,
    pub tenant: String,
    /// Empty in records of v0.1.0.
    pub event_type: String,
    pub at_ms: i64,
    pub matched: Option<Matched>,
    pub attempt: Option<AttemptLogged>,
    pub settled: Option<Settled>,
    pub replayed: Option<Replayed>,
    pub rejected: Option<EventRejected>,
}

impl LogRecord {
    /// Of this event, at this time (Unix milliseconds), with none of its parts set yet.
    #[must_use]
    pub fn blank(event_id: &str, tenant: &str, event_type: &str, at_ms: i64) -> Self {
        Self {
            event_id: event_id.to_owned(),
            tenant: tenant.to_owned(),
            event_type: event_type.to_owned(),
            at_ms,
            matched: None,
            attempt: None,
            settled: None,
            replayed: None,
            rejected: None,
        }
    }
}

/// Fan-out read the event and chose its endpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Matched {
    pub event_type: String,
    /// RFC 3339, as the event states it.
    pub occurred_at: String,
    /// The event's `data`, byte for byte; in the first chunk only.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
    pub source: Source,
    /// Ledger offset up to which the configuration was known when it was matched.
    pub ledger_version: i64,
    /// This chunk's number from 0, of `chunks`: at most 1,000 endpoints each.
    pub chunk: i32,
    pub chunks: i32,
    pub endpoints: Vec<MatchedEndpoint>,
    /// Timestamp of the source record, Unix milliseconds; 0 in records of v0.1.0.
    pub event_time_ms: i64,
    /// `source` of an event that came as a CloudEvent.
    pub cloud_source: Option<String>,
    /// W3C trace context of the source record, when it had one.
    pub traceparent: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedEndpoint {
    pub endpoint_id: String,
    pub delivery_id: String,
}

/// A delivery came to its end without an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    pub delivery_id: String,
    pub endpoint_id: String,
    pub generation: i32,
    /// `dead` or `cancelled`.
    pub outcome: String,
    /// As of a dead letter: `expired`, `endpoint_disabled`, `endpoint_deleted`.
    pub reason: String,
}

/// A dead or delivered delivery was sent on its way again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    pub delivery_id: String,
    pub endpoint_id: String,
    /// The generation that begins.
    pub generation: i32,
    /// Who asked: `cli`, or a job or key id.
    pub by: String,
}

/// Fan-out read an event of a known tenant that can't be delivered to anybody. The whole of it is in the topic `rejected`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRejected {
    /// As in the topic `rejected`: `unknown_type` or `contract_broken`.
    pub reason: String,
    /// What is wrong and where, in words.
    pub message: String,
    pub source: Source,
}
