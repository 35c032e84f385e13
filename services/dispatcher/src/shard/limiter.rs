//! An endpoint's rate: a token bucket.

use crate::target::Rate;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::{InMemoryState, NotKeyed},
};
use std::{num::NonZeroU32, time::Duration};

/// Slowest rate and largest burst that are told apart: governor counts both together in 64 bits of nanoseconds.
const LONGEST_PERIOD: Duration = Duration::from_secs(86_400);
const LARGEST_BURST: NonZeroU32 = NonZeroU32::new(100_000).expect("it is not 0");

pub(super) struct Limiter {
    rate: Rate,
    bucket: RateLimiter<NotKeyed, InMemoryState, DefaultClock>,
    clock: DefaultClock,
}

impl Limiter {
    /// Begins with an empty bucket, so that a takeover never adds a burst.
    pub(super) fn new(rate: Rate) -> Option<Self> {
        let period = Duration::try_from_secs_f64(1.0 / rate.per_second)
            .unwrap_or(LONGEST_PERIOD)
            .min(LONGEST_PERIOD);
        let burst = rate.burst.min(LARGEST_BURST);
        let bucket = RateLimiter::direct(Quota::with_period(period)?.allow_burst(burst));
        // Infallible by construction: the burst is the bucket's own capacity.
        let _ = bucket.check_n(burst);
        Some(Self {
            rate,
            bucket,
            clock: DefaultClock::default(),
        })
    }

    /// Takes a token, or says how long until there is one.
    pub(super) fn take(&self) -> Result<(), Duration> {
        self.bucket
            .check()
            .map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }
}
