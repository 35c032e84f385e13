//! A source record that can't be delivered to anybody, in the `rejected` topic.

use super::delivery::Source;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Key: the source record's key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    /// `unreadable`, `too_large`, `unknown_tenant`, `unknown_type`, `contract_broken`, `invalid`.
    pub reason: String,
    /// What is wrong and where, in words.
    pub message: String,
    pub origin: Source,
    pub tenant: Option<String>,
    pub event_type: Option<String>,
    pub rejected_at_ms: i64,
    /// The record's value; its first 256 KiB when larger.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
    /// Whole length of the value in bytes.
    pub value_bytes: i64,
    /// The record's headers, values as text with what isn't UTF-8 replaced.
    pub headers: BTreeMap<String, String>,
}

impl Rejected {
    /// How much of a record's value is kept.
    pub const KEPT_VALUE_BYTES: usize = 256 << 10;

    /// A record of one of Hookline's own topics that is no record of ours at all: kept, so that it doesn't stop its
    /// partition.
    #[must_use]
    pub fn unreadable(origin: Source, message: String, value: &[u8], now_ms: i64) -> Self {
        Self {
            reason: "unreadable".into(),
            message,
            origin,
            tenant: None,
            event_type: None,
            rejected_at_ms: now_ms,
            value: value[..value.len().min(Self::KEPT_VALUE_BYTES)].to_vec(),
            value_bytes: i64::try_from(value.len()).unwrap_or(i64::MAX),
            headers: BTreeMap::new(),
        }
    }
}
