//! How often a key may ask. Counted in each process by itself; what is counted is keys of the ledger, so the table is
//! bounded by them.

use crate::error::{ApiError, Code};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::HashMapStateStore,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::num::NonZeroU32;

/// A rate, and how many requests may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub per_sec: NonZeroU32,
    pub burst: NonZeroU32,
}

impl Default for Rate {
    /// 100 a second, 200 at once.
    fn default() -> Self {
        Self::per_sec(NonZeroU32::new(100).expect("it is not 0"))
    }
}

impl Rate {
    /// With twice as many at once.
    #[must_use]
    pub fn per_sec(per_sec: NonZeroU32) -> Self {
        Self {
            per_sec,
            burst: per_sec.saturating_mul(NonZeroU32::new(2).expect("it is not 0")),
        }
    }
}

/// How often, in all, keys that this process doesn't know may make it ask the brokers whether they are new.
const UNKNOWN_KEYS: NonZeroU32 = NonZeroU32::new(50).expect("it is not 0");

type Keyed = RateLimiter<String, HashMapStateStore<String>, DefaultClock, StateInformationMiddleware>;

pub(crate) struct RateLimits {
    rate: Rate,
    keys: Keyed,
    unknown: governor::DefaultDirectRateLimiter,
    clock: DefaultClock,
}

/// What is left to a key, for the answer's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    limit: u32,
    remaining: u32,
    /// Until all of it is there again.
    reset_sec: u64,
}

impl RateLimits {
    pub(crate) fn new(rate: Rate) -> Self {
        let quota = Quota::per_second(rate.per_sec).allow_burst(rate.burst);
        Self {
            rate,
            keys: RateLimiter::hashmap(quota).with_middleware(),
            unknown: RateLimiter::direct(Quota::per_second(UNKNOWN_KEYS)),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request of a key, an id that doesn't tell the key itself.
    pub(crate) fn take(&self, key_id: &str) -> (Left, Result<(), ApiError>) {
        match self.keys.check_key(&key_id.to_owned()) {
            Ok(state) => (self.left(state.remaining_burst_capacity()), Ok(())),
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                let refused = ApiError {
                    retry_after_sec: Some(wait.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)),
                    ..ApiError::new(
                        Code::RateLimitExceeded,
                        format!(
                            "at most {} requests a second with this key; wait a moment",
                            self.rate.per_sec
                        ),
                    )
                };
                (self.left(0), Err(refused))
            }
        }
    }

    /// Whether the brokers may be asked for a key that isn't known here.
    pub(crate) fn may_ask_for_unknown(&self) -> bool {
        self.unknown.check().is_ok()
    }

    /// Forgets keys that haven't asked for a while.
    pub(crate) fn forget_idle(&self) {
        self.keys.retain_recent();
    }

    fn left(&self, remaining: u32) -> Left {
        let missing = self.rate.burst.get().saturating_sub(remaining);
        Left {
            limit: self.rate.burst.get(),
            remaining,
            reset_sec: u64::from(missing.div_ceil(self.rate.per_sec.get())),
        }
    }
}

impl Left {
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        let mut set = |name: &'static str, value: u64| {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
        };
        set("x-ratelimit-limit", self.limit.into());
        set("x-ratelimit-remaining", self.remaining.into());
        set("x-ratelimit-reset", self.reset_sec);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_burst_and_is_told_what_is_left() {
        let one = NonZeroU32::MIN;
        let limits = RateLimits::new(Rate::per_sec(one));
        let (left, taken) = limits.take("a");
        assert!(taken.is_ok());
        assert_eq!((left.limit, left.remaining, left.reset_sec), (2, 1, 1));
        assert!(limits.take("a").1.is_ok());
        let (left, refused) = limits.take("a");
        let refused = refused.expect_err("the burst is used up");
        assert_eq!(
            (left.remaining, refused.code, refused.retry_after_sec),
            (0, Code::RateLimitExceeded, Some(1))
        );
        assert!(limits.take("b").1.is_ok());
        limits.forget_idle();
        assert!(limits.take("a").1.is_err(), "what is counted still isn't forgotten");
    }

    #[test]
    fn questions_for_unknown_keys_are_bounded() {
        let limits = RateLimits::new(Rate::default());
        let asked = (0..1000).filter(|_| limits.may_ask_for_unknown()).count();
        assert!((1..100).contains(&asked), "{asked}");
    }
}
