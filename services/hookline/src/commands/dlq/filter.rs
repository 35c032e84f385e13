//! Which dead letters are meant, as flags.

use crate::failure::Usage;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

#[derive(Debug, Clone, clap::Args)]
pub struct FilterFlags {
    /// Of this endpoint
    #[arg(long, value_name = "ID")]
    endpoint: Option<String>,
    /// Of this tenant
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Of this event type
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Dead for this reason: rejected_by_receiver, retries_exhausted, expired, endpoint_disabled, endpoint_deleted or gone
    #[arg(long, value_parser = REASONS)]
    reason: Option<String>,
    /// Died at or after this: a time (2026-11-21T10:00:00Z), or so long ago (90s, 15m, 2h, 7d)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Died before this
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// This delivery, dlv_…
    #[arg(long)]
    id: Option<String>,
    /// At most so many
    #[arg(long)]
    limit: Option<u64>,
}

const REASONS: [&str; 6] = [
    "rejected_by_receiver",
    "retries_exhausted",
    "expired",
    "endpoint_disabled",
    "endpoint_deleted",
    "gone",
];

impl FilterFlags {
    pub fn is_empty(&self) -> bool {
        self.endpoint.is_none()
            && self.tenant.is_none()
            && self.event_type.is_none()
            && self.reason.is_none()
            && self.since.is_none()
            && self.until.is_none()
            && self.id.is_none()
            && self.limit.is_none()
    }

    pub fn filter(&self) -> anyhow::Result<replay::Filter> {
        let now_ms = runtime::clock::now_ms();
        let time =
            |flag: &str, text: &Option<String>| text.as_deref().map(|text| parse(flag, text, now_ms)).transpose();
        Ok(replay::Filter {
            endpoint: self.endpoint.clone(),
            tenant: self.tenant.clone(),
            event_type: self.event_type.clone(),
            reason: self.reason.clone(),
            since_ms: time("--since", &self.since)?,
            until_ms: time("--until", &self.until)?,
            id: self.id.clone(),
            limit: self.limit,
        })
    }
}

/// Unix milliseconds of a time, or of so long before `now_ms`.
fn parse(flag: &str, text: &str, now_ms: i64) -> anyhow::Result<i64> {
    let ago_ms = || {
        let (unit_at, unit) = text.char_indices().last()?;
        let unit_ms = match unit {
            's' => 1_000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return None,
        };
        text[..unit_at]
            .parse::<u32>()
            .ok()
            .map(|count| i64::from(count) * unit_ms)
    };
    if let Some(ago_ms) = ago_ms() {
        return Ok(now_ms - ago_ms);
    }
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
        Usage::error(format!(
            "{flag}: `{text}` is neither a time such as 2026-11-21T10:00:00Z nor an age such as 15m or 7d"
        ))
    })?;
    Ok(i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_ages_are_read() {
        let now_ms = 1_000_000_000;
        assert_eq!(parse("--since", "90s", now_ms).expect("an age"), now_ms - 90_000);
        assert_eq!(parse("--since", "7d", now_ms).expect("an age"), now_ms - 7 * 86_400_000);
        assert_eq!(parse("--since", "1970-01-01T00:00:01Z", now_ms).expect("a time"), 1000);
        for wrong in ["", "x", "15", "-1h", "m", "yesterday", "1µ"] {
            assert!(parse("--since", wrong, now_ms).is_err(), "{wrong}");
        }
    }
}
