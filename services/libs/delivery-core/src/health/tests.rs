//! The circuit against its rules: by example, and for any sequence of answers.

use super::*;
use proptest::prelude::*;

fn settings() -> CircuitSettings {
    CircuitSettings {
        failures: 3,
        min_ms: 1_000,
        probe_ms: vec![100, 200],
    }
}

fn fail(before: Option<Health>, at_ms: i64) -> Option<Health> {
    let was_probe = before.is_some_and(|h| matches!(h.circuit, Circuit::HalfOpen { .. }));
    Health::after(before, Answer::Failed, was_probe, at_ms, &settings())
}

#[test]
fn opens_after_enough_failures_over_enough_time() {
    let mut health = None;
    for at_ms in [0, 1, 2, 999] {
        health = fail(health, at_ms);
        assert!(!health.expect("it failed").is_open(), "{at_ms}");
    }
    let health = fail(health, 1_000).expect("it failed");
    assert_eq!(health.gate(1_099), Gate::Shut { until_ms: 1_100 });
    assert_eq!(health.gate(1_100), Gate::Probe);
    assert_eq!((health.consecutive_failures, health.failing_since_ms), (5, 0));
}

fn opened() -> Health {
    let at = |health, at_ms| fail(health, at_ms);
    at(at(at(None, 0), 1), 1_000).expect("it failed")
}

#[test]
fn probes_at_growing_intervals_and_one_at_a_time() {
    let mut health = opened();
    let mut now_ms = 1_100;
    for wait_ms in [200, 200, 200] {
        health.begin_probe();
        assert_eq!(health.gate(now_ms + 1_000_000), Gate::Probing);
        let late = Health::after(Some(health), Answer::Failed, false, now_ms, &settings());
        assert_eq!(
            late.expect("it failed").gate(now_ms),
            Gate::Probing,
            "an older request is no probe"
        );
        health = fail(Some(health), now_ms).expect("it failed");
        assert_eq!(
            health.gate(now_ms),
            Gate::Shut {
                until_ms: now_ms + wait_ms
            }
        );
        now_ms += wait_ms;
    }
    assert_eq!(health.opened_at_ms(), Some(1_000));
    health.begin_probe();
    health.take_back_probe(now_ms);
    assert_eq!(health.gate(now_ms), Gate::Probe);
    assert_eq!(
        Health::after(Some(health), Answer::Success, true, now_ms, &settings()),
        None
    );
}

#[test]
fn a_final_refusal_closes_the_circuit_but_is_a_failure() {
    let health = Health::after(Some(opened()), Answer::Refused, false, 1_001, &settings()).expect("it failed");
    assert!(!health.is_open());
    assert_eq!(health.consecutive_failures, 4);
    let mut refused = None;
    for at_ms in 0..10_000 {
        refused = Health::after(refused, Answer::Refused, false, at_ms, &settings());
    }
    assert!(!refused.expect("it failed").is_open(), "it is there");
}

#[test]
fn disables_only_when_both_limits_are_passed() {
    let limits = AutoDisable {
        failures: 3,
        without_success_ms: 1_000,
    };
    let long = fail(fail(None, 0), 2_000).expect("it failed");
    assert!(!long.must_be_disabled(limits), "too few");
    let many = fail(fail(fail(None, 0), 1), 999).expect("it failed");
    assert!(!many.must_be_disabled(limits), "too short");
    assert!(fail(Some(many), 1_000).expect("it failed").must_be_disabled(limits));
}

#[test]
fn a_former_owners_probe_is_made_again() {
    let mut health = opened();
    health.begin_probe();
    let restored = Health::restored(3, 0, 1_000, Some((1_000, 0)), &settings());
    assert_eq!(restored.gate(1_099), Gate::Shut { until_ms: 1_100 });
    assert_eq!(restored.gate(1_100), Gate::Probe);
    assert!(!Health::restored(3, 0, 1_000, None, &settings()).is_open());
}

#[test]
fn a_life_ends_with_its_last_scheduled_attempt() {
    assert_eq!(last_due_ms(5_000, &[1, 2, 3], 0), 11_000);
    assert_eq!(last_due_ms(5_000, &[1, 2, 3], 2), 8_000);
    assert_eq!(last_due_ms(5_000, &[1, 2, 3], 3), 5_000);
    assert_eq!(last_due_ms(5_000, &[], 7), 5_000);
}

proptest! {
    #[test]
    fn requests_are_free_or_few(answers in prop::collection::vec((0..3_u8, 0..500_i64, any::<bool>()), 1..300)) {
        let settings = settings();
        let (mut health, mut now_ms, mut failures) = (None::<Health>, 0_i64, 0_i64);
        for (answer, wait_ms, starts) in answers {
            now_ms += wait_ms;
            let gate = health.map_or(Gate::Free, |h| h.gate(now_ms));
            let probing = gate == Gate::Probe && starts;
            if probing && let Some(health) = &mut health {
                health.begin_probe();
                prop_assert_eq!(health.gate(i64::MAX), Gate::Probing);
            }
            let was_probe = probing || (gate == Gate::Probing && starts);
            let answer = [Answer::Success, Answer::Refused, Answer::Failed][usize::from(answer)];
            let before = health;
            health = Health::after(health, answer, was_probe, now_ms, &settings);
            failures = if answer == Answer::Success { 0 } else { failures + 1 };
            prop_assert_eq!(health.map_or(0, |h| h.consecutive_failures), failures);
            if let Some(health) = health {
                prop_assert!(health.failing_since_ms <= health.last_failure_at_ms);
                if let Circuit::Open { probe_at_ms, opened_at_ms, .. } = health.circuit {
                    prop_assert!(health.consecutive_failures >= settings.failures);
                    prop_assert!(probe_at_ms > opened_at_ms);
                    let was_open = before.is_some_and(|h| h.is_open());
                    prop_assert!(was_open || now_ms - health.failing_since_ms >= settings.min_ms);
                }
                prop_assert!(put_off_ms(&health, now_ms) >= 1_000);
            }
        }
    }
}
