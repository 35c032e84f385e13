//! Notices that the process stood still (SIGSTOP, a frozen machine): its shards may be somebody else's by now, and the
//! group will say so only a moment after it goes on. Until a commit has shown otherwise, nothing is started.
//!
//! It beats on a thread of its own, as the group's heartbeats do: tasks that wait for one another are no stop.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const BEAT_EVERY: Duration = Duration::from_millis(200);
/// A stop that is shorter can't have cost the membership: sessions last 6 s, heartbeats come every 1.5 s.
const LONGEST_MS: u64 = 2_000;

/// Shared by all shards of the process.
#[derive(Debug)]
pub(crate) struct Pulse {
    began: Instant,
    last_ms: AtomicU64,
    stops: AtomicU64,
}

impl Pulse {
    /// Beats until nobody has it any more.
    pub(crate) fn start() -> Arc<Self> {
        let pulse = Arc::new(Self::new());
        let beating = Arc::downgrade(&pulse);
        thread::spawn(move || {
            while let Some(pulse) = beating.upgrade() {
                pulse.beat_at(pulse.now_ms());
                drop(pulse);
                thread::sleep(BEAT_EVERY);
            }
        });
        pulse
    }

    fn new() -> Self {
        Self {
            began: Instant::now(),
            last_ms: AtomicU64::new(0),
            stops: AtomicU64::new(0),
        }
    }

    /// How often the process has stood still, up to this very moment.
    pub(crate) fn stops(&self) -> u64 {
        self.stops_at(self.now_ms())
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn stops_at(&self, now_ms: u64) -> u64 {
        let last_ms = self.last_ms.load(Ordering::SeqCst);
        let stood_still = now_ms.saturating_sub(last_ms) > LONGEST_MS;
        // Whoever notices first counts it.
        if stood_still
            && self
                .last_ms
                .compare_exchange(last_ms, now_ms, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
        {
            self.stops.fetch_add(1, Ordering::SeqCst);
            tracing::warn!(
                for_ms = now_ms - last_ms,
                "the process stood still; nothing is sent until the shards are known to be ours"
            );
        }
        self.stops.load(Ordering::SeqCst)
    }

    fn beat_at(&self, now_ms: u64) {
        self.stops_at(now_ms);
        self.last_ms.fetch_max(now_ms, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::Pulse;

    #[test]
    fn a_stop_is_counted_once_whoever_notices_it() {
        let pulse = Pulse::new();
        pulse.beat_at(200);
        assert_eq!(pulse.stops_at(2_100), 0, "a late beat is no stop");
        assert_eq!(
            pulse.stops_at(7_000),
            1,
            "the start of a request notices it before the next beat"
        );
        pulse.beat_at(7_010);
        assert_eq!(pulse.stops_at(7_020), 1);
        pulse.beat_at(20_000);
        assert_eq!(pulse.stops_at(20_001), 2, "the beat notices it before a request starts");
    }
}
