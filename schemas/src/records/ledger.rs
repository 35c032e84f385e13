//! The ledger's envelope (frozen: these three schemas never change) and the records of its two side topics.

use serde::{Deserialize, Serialize};

/// Ledger record. Key: `<kind>/<id>`. The entity inside is a single-object Avro record of its own schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// `tenant`, `key`, `endpoint`, `event_type`, `job`, `schema`, `installation`.
    pub kind: String,
    pub id: String,
    /// 1 for the first, one more with each change of this entity.
    pub version: i64,
    pub written_at_ms: i64,
    /// The request that wanted it.
    pub request_id: String,
    #[serde(with = "serde_bytes")]
    pub entity: Vec<u8>,
}

/// A wanted change, in `ledger.requests`. Key: `<kind>/<id>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerRequest {
    /// Unique; a repeat of the same id gets the first one's outcome.
    pub request_id: String,
    pub requested_at_ms: i64,
    pub kind: String,
    pub id: String,
    /// The change is refused unless the entity has this version; 0: must not exist; absent: whatever it has.
    pub expected_version: Option<i64>,
    /// The wanted entity; absent: remove it.
    #[serde(with = "serde_bytes")]
    pub entity: Option<Vec<u8>>,
    /// What whoever asks would answer its caller, encrypted; the clerk copies it into the outcome.
    #[serde(with = "serde_bytes")]
    pub answer: Option<Vec<u8>>,
}

/// What became of a request, in `ledger.outcomes`. Key: the request id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerOutcome {
    pub request_id: String,
    pub decided_at_ms: i64,
    pub accepted: bool,
    /// The entity's version after the change, when accepted.
    pub version: i64,
    /// Ledger offset that a view must have passed to include the change, when accepted.
    pub ledger_offset: i64,
    /// When refused: `conflict`, `invalid`, `not_found`, `quota`, `exists`.
    pub code: Option<String>,
    pub message: Option<String>,
    /// The answer that the request came with, encrypted: every repeat of the request gets the first one's.
    #[serde(with = "serde_bytes")]
    pub answer: Option<Vec<u8>>,
}
