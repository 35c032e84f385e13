//! An endpoint that isn't well, in the `health` topic, so that a deploy or takeover doesn't forget it.

use serde::{Deserialize, Serialize};

/// Key: the endpoint id. Tombstoned on recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    pub endpoint_id: String,
    pub tenant: String,
    /// Failed attempts since the last success, probes included.
    pub consecutive_failures: i64,
    /// When the first of them ended, Unix milliseconds.
    pub failing_since_ms: i64,
    /// When the last of them ended, Unix milliseconds.
    pub last_failure_at_ms: i64,
    /// `closed`, `open` or `half_open`.
    pub circuit: String,
    /// When the circuit opened, Unix milliseconds; absent while closed.
    pub opened_at_ms: Option<i64>,
    /// Probes since the circuit opened: the index into `circuit.probe_sec`.
    pub probes_made: i32,
}
