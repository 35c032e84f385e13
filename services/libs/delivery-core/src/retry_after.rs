//! Reads a response's `Retry-After` (RFC 9110, section 10.2.3). What it does to the next attempt is `outcome`'s to say.

use std::time::{Duration, UNIX_EPOCH};

/// The longest that a receiver can delay a delivery: 24 hours, in milliseconds.
pub const MAX_MS: i64 = 24 * 60 * 60 * 1000;

/// How long to wait, in milliseconds from `now_ms` (Unix milliseconds), 0 to [`MAX_MS`]: more than that, also a number
/// too large to read, is cut to it. `None` for anything that is neither seconds nor an HTTP date.
#[must_use]
pub fn parse(value: &str, now_ms: i64) -> Option<i64> {
    let value = value.trim_matches([' ', '\t']);
    if value.is_empty() {
        return None;
    }
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = value.parse::<i64>().unwrap_or(i64::MAX);
        return Some(seconds.saturating_mul(1000).min(MAX_MS));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let since_epoch = date.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let date_ms = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
    Some(date_ms.saturating_sub(now_ms).clamp(0, MAX_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT
    const DATE_MS: i64 = 784_111_777_000;

    #[test]
    fn reads_seconds() {
        assert_eq!(parse("0", 0), Some(0));
        assert_eq!(parse("120", 5), Some(120_000));
        assert_eq!(parse(" 7 ", 0), Some(7_000));
    }

    #[test]
    fn caps_what_is_too_long_or_too_large_to_read() {
        for value in ["86401", "99999999999", "18446744073709551616", &"9".repeat(400)] {
            assert_eq!(parse(value, 0), Some(MAX_MS), "{value}");
        }
        assert_eq!(parse("Fri, 31 Dec 9999 23:59:59 GMT", DATE_MS), Some(MAX_MS));
    }

    #[test]
    fn reads_the_three_forms_of_a_date() {
        for value in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(value, DATE_MS - 90_500), Some(90_500), "{value}");
        }
    }

    #[test]
    fn a_date_in_the_past_is_no_wait() {
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT", DATE_MS + 1), Some(0));
    }

    #[test]
    fn ignores_garbage() {
        for value in [
            "",
            " ",
            "soon",
            "-1",
            "+5",
            "1.5",
            "0x10",
            "5s",
            "5,6",
            "Sun, 99 Nov 1994 08:49:37 GMT",
            "٣",
        ] {
            assert_eq!(parse(value, 0), None, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn is_always_within_its_bounds(value in ".{0,40}", now_ms in 0..i64::MAX) {
            if let Some(wait_ms) = parse(&value, now_ms) {
                proptest::prop_assert!((0..=MAX_MS).contains(&wait_ms));
            }
        }
    }
}
