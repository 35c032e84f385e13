//! The wall clock. Decisions don't read it: they are given its value.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix milliseconds, now.
#[must_use]
pub fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
