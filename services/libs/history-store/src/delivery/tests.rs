//! The sum is the same whatever the order, however often a record comes, and however it is split into batches.

use super::*;
use crate::{Fact, fold};
use proptest::{collection::vec, prelude::*};
use schemas::{AttemptLogged, AttemptResult, LogRecord, Matched, MatchedEndpoint, Replayed, Settled, Source};

fn record(at_ms: i64) -> LogRecord {
    LogRecord::blank("evt_1", "org_1", "vault.ingest.completed", at_ms)
}

fn matched(at_ms: i64) -> LogRecord {
    LogRecord {
        matched: Some(Matched {
            event_type: "vault.ingest.completed".into(),
            occurred_at: "2026-11-21T10:00:00Z".into(),
            data: b"{}".to_vec(),
            source: Source {
                topic: "events".into(),
                partition: 0,
                offset: 1,
            },
            ledger_version: 1,
            chunk: 0,
            chunks: 1,
            endpoints: vec![MatchedEndpoint {
                endpoint_id: "wh_1".into(),
                delivery_id: "dlv_1".into(),
            }],
            event_time_ms: 1,
            cloud_source: None,
            traceparent: None,
        }),
        ..record(at_ms)
    }
}

fn attempt(at_ms: i64, generation: i32, number: i32, result: AttemptResult) -> LogRecord {
    LogRecord {
        attempt: Some(AttemptLogged {
            delivery_id: "dlv_1".into(),
            endpoint_id: "wh_1".into(),
            generation,
            number,
            trigger: "event".into(),
            started_at_ms: at_ms - 1,
            duration_ms: 1,
            status_code: Some(500),
            error: None,
            response_headers: std::collections::BTreeMap::new(),
            response_body: Vec::new(),
            result,
            next_attempt_at_ms: (result == AttemptResult::Retry).then_some(at_ms + 5_000),
            reason: (result == AttemptResult::Dead).then(|| "retries_exhausted".into()),
        }),
        ..record(at_ms)
    }
}

fn settled(at_ms: i64, generation: i32) -> LogRecord {
    LogRecord {
        settled: Some(Settled {
            delivery_id: "dlv_1".into(),
            endpoint_id: "wh_1".into(),
            generation,
            outcome: "dead".into(),
            reason: "expired".into(),
        }),
        ..record(at_ms)
    }
}

fn replayed(at_ms: i64, generation: i32) -> LogRecord {
    LogRecord {
        replayed: Some(Replayed {
            delivery_id: "dlv_1".into(),
            endpoint_id: "wh_1".into(),
            generation,
            by: "key_1".into(),
        }),
        ..record(at_ms)
    }
}

fn sum(records: &[(i64, LogRecord)]) -> Delivery {
    let mut sum: Option<Delivery> = None;
    for (offset, record) in records {
        for fact in fold(record, 3, *offset) {
            if let Fact::Delivery(delivery) = fact {
                match &mut sum {
                    Some(known) => known.add(&delivery),
                    None => sum = Some(*delivery),
                }
            }
        }
    }
    sum.expect("at least one record is of the delivery")
}

fn any_record() -> impl Strategy<Value = LogRecord> {
    let result = prop_oneof![
        Just(AttemptResult::Delivered),
        Just(AttemptResult::Retry),
        Just(AttemptResult::Dead)
    ];
    prop_oneof![
        (10_i64..14).prop_map(matched),
        (10_i64..14, 0_i32..3, 1_i32..4, result)
            .prop_map(|(at, generation, number, result)| attempt(at, generation, number, result)),
        (10_i64..14, 0_i32..3).prop_map(|(at, generation)| settled(at, generation)),
        (10_i64..14, 1_i32..3).prop_map(|(at, generation)| replayed(at, generation)),
    ]
}

proptest! {
    #[test]
    fn any_order_and_any_repeats_give_the_same_row(
        (records, shuffled) in vec(any_record(), 1..12)
            .prop_map(|records| (100..).zip(records).collect::<Vec<_>>())
            .prop_flat_map(|records: Vec<(i64, LogRecord)>| {
                let twice: Vec<_> = records.iter().chain(&records).cloned().collect();
                (Just(records), Just(twice).prop_shuffle())
            }),
        split in 0_usize..12,
    ) {
        let expected = sum(&records);
        prop_assert_eq!(&sum(&shuffled), &expected);
        // As two batches of which the later is written first.
        let (first, second) = shuffled.split_at(split.clamp(1, shuffled.len() - 1));
        let mut joined = sum(second);
        joined.add(&sum(first));
        prop_assert_eq!(joined, expected);
    }
}

#[test]
fn a_life_is_told_as_it_goes() {
    let mut records = vec![(1, matched(10))];
    let pending = sum(&records);
    assert_eq!((pending.outcome.status, pending.attempt_count()), (Status::Pending, 0));
    assert_eq!((pending.created_at_ms, pending.next_attempt_at_ms()), (10, None));

    records.push((5, attempt(11, 0, 1, AttemptResult::Retry)));
    let waiting = sum(&records);
    assert_eq!(waiting.next_attempt_at_ms(), Some(5_011));
    assert_eq!(waiting.completed_at_ms(), None);

    records.push((9, attempt(12, 0, 2, AttemptResult::Dead)));
    let dead = sum(&records);
    assert_eq!(dead.outcome.reason.as_deref(), Some("retries_exhausted"));
    assert_eq!((dead.completed_at_ms(), dead.next_attempt_at_ms()), (Some(12), None));
    assert_eq!(dead.attempts, [5, 9]);

    records.push((12, replayed(13, 1)));
    let again = sum(&records);
    assert_eq!((again.outcome.status, again.outcome.generation), (Status::Pending, 1));
    assert_eq!((again.completed_at_ms(), again.next_attempt_at_ms()), (None, None));

    records.push((14, attempt(15, 1, 3, AttemptResult::Delivered)));
    let delivered = sum(&records);
    assert_eq!(delivered.outcome.status, Status::Delivered);
    assert_eq!((delivered.attempt_count(), delivered.outcome.reason), (3, None));
}

/// What a dispatcher that stood still says late of a generation that is over.
#[test]
fn an_older_generation_never_outweighs_a_newer_one() {
    let records = [
        (1, matched(10)),
        (2, replayed(20, 1)),
        (3, attempt(30, 0, 2, AttemptResult::Delivered)),
    ];
    let sum = sum(&records);
    assert_eq!((sum.outcome.generation, sum.outcome.status), (1, Status::Pending));
    assert_eq!(sum.replay.map(|replay| replay.by).as_deref(), Some("key_1"));
}
