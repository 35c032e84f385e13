//! Times on the command line: RFC 3339, or an age.

use crate::failure::Usage;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Unix milliseconds of a time, or of so long before `now_ms`.
///
/// # Errors
/// When it is neither, with the flag's name.
pub fn parse(flag: &str, text: &str, now_ms: i64) -> anyhow::Result<i64> {
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

/// The same as RFC 3339, as the API takes it.
///
/// # Errors
/// As [`parse`].
pub fn to_rfc3339(flag: &str, text: Option<&str>) -> anyhow::Result<Option<String>> {
    let ms = text
        .map(|text| parse(flag, text, runtime::clock::now_ms()))
        .transpose()?;
    Ok(ms.map(runtime::clock::rfc3339))
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
