//! Which retry topic a waiting delivery goes to next. Tiers have one fixed delay each, doubling, so that the head of a
//! partition is always due first; a due time that is no tier is reached by descending them.

/// Delays of the retry topics, in seconds.
pub const TIERS_SEC: [u32; 16] = [
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768,
];

/// Most hops of a wait shorter than the longest tier; a longer one takes one more for each time that it goes around.
pub const MAX_HOPS: i32 = 5;

const LONGEST_MS: i64 = 32_768_000;

/// Where a waiting delivery goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// It is due: to `returns`.
    Release,
    /// To the retry topic with this delay in seconds, one of [`TIERS_SEC`].
    Tier(u32),
}

/// The next hop at `now_ms` of a delivery that is due at `due_at_ms`, has waited since `wait_since_ms` (all Unix
/// milliseconds; 0 or less: since now) and has passed `hops_done` retry topics in this wait.
///
/// It is never early, and when every hop takes just its delay, late by at most [`tolerance_ms`]. It takes the smallest
/// tier that covers what remains when that is not too late, so mostly one or two hops; else the largest that fits. On
/// the last hop it always takes the covering one: four distinct tiers have been passed by then, so what it overshoots
/// is less than 1/31 of the wait.
#[must_use]
pub fn next_hop(now_ms: i64, due_at_ms: i64, wait_since_ms: i64, hops_done: i32) -> Hop {
    let remaining_ms = due_at_ms.saturating_sub(now_ms);
    if remaining_ms <= 0 {
        return Hop::Release;
    }
    let since_ms = if wait_since_ms > 0 {
        wait_since_ms.min(now_ms)
    } else {
        now_ms
    };
    let wait_ms = due_at_ms.saturating_sub(since_ms);
    let rounds = i32::try_from(wait_ms / LONGEST_MS).unwrap_or(i32::MAX);
    let last_hop = hops_done >= rounds.saturating_add(MAX_HOPS - 1);
    let covering = TIERS_SEC.into_iter().find(|tier| millis(*tier) >= remaining_ms);
    if let Some(tier) = covering
        && (last_hop || millis(tier) - remaining_ms <= tolerance_ms(wait_ms))
    {
        return Hop::Tier(tier);
    }
    let fitting = TIERS_SEC.into_iter().rev().find(|tier| millis(*tier) <= remaining_ms);
    Hop::Tier(fitting.unwrap_or(TIERS_SEC[0]))
}

/// How late a wait of `wait_ms` may end: 1 s, or 5 % of it when that is more.
#[must_use]
pub fn tolerance_ms(wait_ms: i64) -> i64 {
    (wait_ms / 20).max(1000)
}

fn millis(tier_sec: u32) -> i64 {
    i64::from(tier_sec) * 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// (when it was released, hops), each hop taking its delay and nothing else.
    fn simulate(start_ms: i64, due_at_ms: i64) -> (i64, i32) {
        let (mut now_ms, mut hops) = (start_ms, 0);
        while let Hop::Tier(sec) = next_hop(now_ms, due_at_ms, start_ms, hops) {
            assert!(TIERS_SEC.contains(&sec));
            now_ms += i64::from(sec) * 1000;
            hops += 1;
            assert!(hops < 100, "never ends");
        }
        (now_ms, hops)
    }

    #[test]
    fn a_tier_takes_one_hop() {
        for sec in TIERS_SEC {
            assert_eq!(simulate(7, 7 + millis(sec)), (7 + millis(sec), 1), "{sec}");
        }
    }

    #[test]
    fn what_is_due_is_released() {
        assert_eq!(next_hop(10, 10, 1, 0), Hop::Release);
        assert_eq!(next_hop(11, 10, 1, 9), Hop::Release);
        assert_eq!(next_hop(11, 0, 0, 0), Hop::Release);
    }

    #[test]
    fn an_unknown_start_is_now() {
        assert_eq!(next_hop(1_000_000, 1_005_000, 0, 0), Hop::Tier(4));
        assert_eq!(next_hop(1_000_000, 1_005_000, 9_000_000, 0), Hop::Tier(4));
    }

    #[test]
    fn the_default_schedule_takes_few_hops() {
        for sec in [5, 60, 300, 1800, 7200, 18000, 36000] {
            let (_, hops) = simulate(0, sec * 1000);
            assert!(hops <= 5, "{sec} s took {hops}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn never_early_and_late_by_at_most_the_tolerance(
            start_ms in 1..2_000_000_000_000_i64,
            wait_ms in prop_oneof![1..10_000_i64, 1..LONGEST_MS, 1..172_800_000_i64 * 2],
        ) {
            let (released_ms, hops) = simulate(start_ms, start_ms + wait_ms);
            let late_ms = released_ms - start_ms - wait_ms;
            prop_assert!(late_ms >= 0, "early by {}", -late_ms);
            prop_assert!(late_ms <= tolerance_ms(wait_ms), "late by {late_ms} of {wait_ms}");
            prop_assert!(i64::from(hops) <= i64::from(MAX_HOPS) + wait_ms / LONGEST_MS, "{hops} hops for {wait_ms}");
        }

        /// With whatever latency between hops: never early, and it always ends.
        #[test]
        fn latency_never_makes_it_early(wait_ms in 1..172_800_000_i64, latencies in prop::collection::vec(0..5_000_i64, 16)) {
            let (mut now_ms, mut hops) = (1_i64, 0_usize);
            while let Hop::Tier(sec) = next_hop(now_ms, 1 + wait_ms, 1, hops as i32) {
                now_ms += i64::from(sec) * 1000 + latencies[hops % latencies.len()];
                hops += 1;
                prop_assert!(hops <= 12);
            }
            prop_assert!(now_ms > wait_ms);
        }
    }
}
