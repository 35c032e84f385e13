//! What one HTTP request of a delivery came to, as the `log` topic keeps it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One attempt, with what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptLogged {
    pub delivery_id: String,
    pub endpoint_id: String,
    pub generation: i32,
    /// 1 for the first attempt, counted over all generations.
    pub number: i32,
    /// `event`, `retry` or `replay`.
    pub trigger: String,
    pub started_at_ms: i64,
    pub duration_ms: i64,
    pub status_code: Option<i32>,
    /// Why there is no status code, or why the attempt failed; at most 256 characters.
    pub error: Option<String>,
    /// At most 20 headers of 1,024 bytes.
    pub response_headers: BTreeMap<String, String>,
    /// The first 4 KiB.
    #[serde(with = "serde_bytes")]
    pub response_body: Vec<u8>,
    pub result: AttemptResult,
    /// When the next attempt is due, Unix milliseconds, with `result` `retry`.
    pub next_attempt_at_ms: Option<i64>,
    /// Why it is dead, with `result` `dead`.
    pub reason: Option<String>,
}

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttemptResult {
    Delivered,
    Retry,
    Dead,
}
