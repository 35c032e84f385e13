//! The retry schedule: when the next attempt falls due. It doesn't know why an attempt failed (`outcome` does), nor
//! how a delivery waits (`tier` does).

/// Jitter moves a delay by at most this share, both ways.
pub const JITTER_SHARE: f64 = 0.1;

/// The delay in milliseconds before the next attempt, or `None` when the schedule is exhausted.
///
/// `schedule_index` counts the attempts of this generation before the one that just failed: 0 after the first attempt.
/// So a schedule of 8 delays makes at most 9 attempts. `jitter` is -1 to 1 (what is outside is cut to it), drawn by the
/// caller.
#[must_use]
pub fn next_delay(schedule_sec: &[i64], schedule_index: usize, jitter: f64) -> Option<i64> {
    let delay_ms = schedule_sec.get(schedule_index)?.max(&0).saturating_mul(1000);
    let jitter = if jitter.is_nan() { 0.0 } else { jitter.clamp(-1.0, 1.0) };
    let shift_ms = (delay_ms as f64 * JITTER_SHARE * jitter) as i64;
    Some(delay_ms.saturating_add(shift_ms))
}

/// When the next attempt is due, Unix milliseconds: after the schedule's delay, or after what `Retry-After` asks for
/// (see [`crate::retry_after::parse`]) when that is later. `None` when the schedule is exhausted.
#[must_use]
pub fn next_due(
    now_ms: i64,
    schedule_sec: &[i64],
    schedule_index: usize,
    jitter: f64,
    retry_after_ms: Option<i64>,
) -> Option<i64> {
    let delay_ms = next_delay(schedule_sec, schedule_index, jitter)?;
    let asked_ms = retry_after_ms.unwrap_or(0).min(crate::retry_after::MAX_MS);
    Some(now_ms.saturating_add(delay_ms.max(asked_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEFAULT: [i64; 8] = [5, 60, 300, 1800, 7200, 18000, 36000, 36000];

    #[test]
    fn follows_the_schedule_and_ends() {
        let delays: Vec<_> = (0..10).map(|index| next_delay(&DEFAULT, index, 0.0)).collect();
        let mut expected: Vec<_> = DEFAULT.iter().map(|sec| Some(sec * 1000)).collect();
        expected.extend([None, None]);
        assert_eq!(delays, expected);
        assert_eq!(next_delay(&[], 0, 0.0), None);
    }

    #[test]
    fn retry_after_only_ever_delays() {
        assert_eq!(next_due(1_000, &DEFAULT, 0, 0.0, Some(2_000)), Some(6_000));
        assert_eq!(next_due(1_000, &DEFAULT, 0, 0.0, Some(9_000)), Some(10_000));
        assert_eq!(
            next_due(0, &DEFAULT, 0, 0.0, Some(i64::MAX)),
            Some(crate::retry_after::MAX_MS)
        );
        assert_eq!(next_due(0, &DEFAULT, 8, 0.0, Some(9_000)), None, "it adds no attempt");
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_tenth(sec in 0..172_800_i64, jitter in -2.0..2.0_f64) {
            let delay_ms = next_delay(&[sec], 0, jitter).expect("the schedule has an entry");
            prop_assert!(delay_ms >= sec * 900 && delay_ms <= sec * 1100);
        }
    }
}
