//! How often, and after which pause, a request is sent again.

use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// How patient a client is.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Requests in all, the first included.
    pub tries: u32,
    /// The first pause where the API names none; it doubles.
    pub first_pause: Duration,
    /// A longer pause isn't waited for: the refusal is reported.
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 5,
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(30),
        }
    }
}

impl Patience {
    /// The pause after the `made`th request, which asked for `wanted`; None when that was the last one.
    pub(crate) fn pause(&self, made: u32, wanted: Option<Duration>) -> Option<Duration> {
        let doubled = || self.first_pause.saturating_mul(1 << made.saturating_sub(1).min(16));
        let pause = wanted.unwrap_or_else(doubled);
        (made < self.tries && pause <= self.longest_pause).then_some(pause)
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3). None when there is none that can be read.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(sec) = text.parse() {
        return Some(Duration::from_secs(sec));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_have_an_end() {
        let patience = Patience::default();
        let ms = |made, wanted| patience.pause(made, wanted).map(|pause| pause.as_millis());
        assert_eq!(
            (ms(1, None), ms(2, None), ms(4, None)),
            (Some(250), Some(500), Some(2000))
        );
        assert_eq!(ms(5, None), None, "that was the last try");
        assert_eq!(ms(1, Some(Duration::from_secs(3))), Some(3000));
        assert_eq!(ms(1, Some(Duration::from_secs(31))), None, "nobody waits that long");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let read = |text: &str| {
            let headers = [(RETRY_AFTER, text.parse().expect("a header value"))];
            retry_after(&HeaderMap::from_iter(headers), now)
        };
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        let date = httpdate::fmt_http_date(now + Duration::from_secs(9));
        assert_eq!(read(&date), Some(Duration::from_secs(9)));
        assert_eq!(read("Sat, 01 Jan 2000 00:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
    }
}
