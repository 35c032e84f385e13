//! A dead delivery in the `dlq` topic: complete, so that it can be sent again from this record alone.

use super::delivery::Delivery;
use serde::{Deserialize, Serialize};

/// Key: the delivery id. A replay tombstones it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub delivery: Delivery,
    /// `rejected_by_receiver`, `retries_exhausted`, `expired`, `endpoint_disabled`, `endpoint_deleted` or `gone`.
    pub reason: String,
    pub died_at_ms: i64,
}
