//! The wall clock. Decisions don't read it: they are given its value.

use std::time::{SystemTime, UNIX_EPOCH};
use time::{OffsetDateTime, macros::format_description};

/// Unix milliseconds, now.
#[must_use]
pub fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// Unix milliseconds as `2026-11-21T10:00:00.000Z`; what is no time as the number.
#[must_use]
pub fn rfc3339(unix_ms: i64) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000);
    time.ok()
        .and_then(|time| time.format(format).ok())
        .unwrap_or_else(|| unix_ms.to_string())
}
