//! How fast deliveries are sent again.

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;

/// Most deliveries in one transaction.
const MAX_BATCH: u32 = 100;

/// Keeps to a rate by waiting before each batch.
#[derive(Debug)]
pub struct Pace {
    /// Most deliveries of one batch.
    pub batch: u32,
    limiter: Option<DefaultDirectRateLimiter>,
}

impl Pace {
    /// As many a second; None: as fast as it goes.
    #[must_use]
    pub fn new(rate_per_sec: Option<NonZeroU32>) -> Self {
        let Some(rate) = rate_per_sec else {
            return Self {
                batch: MAX_BATCH,
                limiter: None,
            };
        };
        // Four batches a second, so that a slow replay flows and can be cancelled quickly.
        let batch = NonZeroU32::new((rate.get() / 4).min(MAX_BATCH)).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(rate).allow_burst(batch);
        Self {
            batch: batch.get(),
            limiter: Some(RateLimiter::direct(quota)),
        }
    }

    /// Waits until a batch of so many is due.
    pub async fn wait(&self, records: usize) {
        let records = u32::try_from(records).ok().and_then(NonZeroU32::new);
        if let (Some(limiter), Some(records)) = (&self.limiter, records) {
            let within = limiter.until_n_ready(records).await;
            debug_assert!(within.is_ok(), "a batch is never larger than the burst");
        }
    }
}
