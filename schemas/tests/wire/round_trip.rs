//! Every record comes back as it was; damaged bytes give an error, never a panic.

use super::{examples::Example, for_each_record};
use proptest::prelude::*;
use schemas::*;
use std::{fmt::Debug, time::Instant};

fn round_trips<R: Record + Example + PartialEq + Debug>(name: &str) {
    for record in [R::full(), R::bare()] {
        let bytes = encode(&record).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(codec::fingerprint_of(&bytes), Ok(R::fingerprint()), "{name}");
        let back: R = decode(&bytes, &OwnSchemas).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(back, record, "{name}");
    }
}

#[test]
fn every_record_round_trips() {
    for_each_record!(round_trips);
}

fn refuses_damage<R: Record + Example + PartialEq + Debug>(name: &str) {
    let bytes = encode(&R::full()).expect("encode");
    assert_eq!(
        decode::<R>(b"", &OwnSchemas),
        Err(DecodeError::NotSingleObject),
        "{name}"
    );
    assert_eq!(
        decode::<R>(b"{\"a\":1}", &OwnSchemas),
        Err(DecodeError::NotSingleObject),
        "{name}"
    );
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(
        matches!(decode::<R>(&longer, &OwnSchemas), Err(DecodeError::Corrupt(_))),
        "{name}"
    );
    for end in 10..bytes.len() {
        assert!(decode::<R>(&bytes[..end], &OwnSchemas).is_err(), "{name} cut at {end}");
    }
    let mut foreign = bytes;
    foreign[2..10].copy_from_slice(&0xDEAD_BEEF_u64.to_le_bytes());
    let error = decode::<R>(&foreign, &OwnSchemas).expect_err("an unknown writer");
    assert_eq!(error, DecodeError::UnknownFingerprint(0xDEAD_BEEF), "{name}");
}

#[test]
fn damage_and_unknown_writers_are_told_apart() {
    for_each_record!(refuses_damage);
}

/// Another record's bytes are no record of this type, though their schema is known.
#[test]
fn a_record_of_another_type_is_refused() {
    let bytes = encode(&Tenant::full()).expect("encode");
    assert!(matches!(
        decode::<Endpoint>(&bytes, &OwnSchemas),
        Err(DecodeError::Corrupt(_))
    ));
}

proptest! {
    #[test]
    fn deliveries_survive(
        body in prop::collection::vec(any::<u8>(), 0..2000),
        times in any::<(i64, i64, i64, i64)>(),
        texts in prop::collection::vec(".{0,40}", 6),
        traceparent in prop::option::of(".{0,60}"),
        attempts in prop::collection::vec(
            (any::<i32>(), any::<i64>(), prop::option::of(any::<i32>()), prop::option::of(".{0,30}")), 0..10),
    ) {
        let delivery = Delivery {
            delivery_id: texts[0].clone(),
            event_id: texts[1].clone(),
            tenant: texts[2].clone(),
            endpoint_id: texts[3].clone(),
            event_type: texts[4].clone(),
            cause: texts[5].clone(),
            body,
            traceparent,
            event_time_ms: times.0,
            matched_at_ms: times.1,
            due_at_ms: times.2,
            wait_since_ms: times.3,
            attempts: attempts
                .into_iter()
                .map(|(number, at, status_code, error)| AttemptSummary {
                    number, started_at_ms: at, duration_ms: at, status_code, error, span_id: None,
                })
                .collect(),
            ..Delivery::bare()
        };
        let bytes = encode(&delivery).expect("encode");
        prop_assert_eq!(decode::<Delivery>(&bytes, &OwnSchemas), Ok(delivery));
    }

    #[test]
    fn damaged_bytes_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), tail in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut bytes = encode(&LogRecord::full()).expect("encode");
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode::<LogRecord>(&bytes, &OwnSchemas);
        bytes.truncate(at.max(10));
        bytes.extend_from_slice(&tail);
        let _ = decode::<LogRecord>(&bytes, &OwnSchemas);
    }
}

/// Prints the cost of the two records that every delivery needs.
#[test]
#[ignore = "a measurement: cargo test -p schemas --release --test wire -- --ignored --nocapture speed"]
fn speed() {
    fn measure<R: Record>(what: &str, record: &R) {
        const ROUNDS: u32 = 50_000;
        let bytes = encode(record).expect("encode");
        let start = Instant::now();
        for _ in 0..ROUNDS {
            std::hint::black_box(encode(std::hint::black_box(record)).expect("encode"));
        }
        let encoding = start.elapsed() / ROUNDS;
        let start = Instant::now();
        for _ in 0..ROUNDS {
            std::hint::black_box(decode::<R>(std::hint::black_box(&bytes), &OwnSchemas).expect("decode"));
        }
        println!(
            "{what} of {} bytes: encode {encoding:?}, decode {:?}",
            bytes.len(),
            start.elapsed() / ROUNDS
        );
    }
    measure(
        "delivery",
        &Delivery {
            body: vec![b'x'; 500],
            attempts: vec![],
            ..Delivery::full()
        },
    );
    let full = LogRecord::full();
    let response_body = vec![b'x'; 200];
    let attempt = full.attempt.map(|attempt| AttemptLogged {
        response_body,
        ..attempt
    });
    measure(
        "attempt",
        &LogRecord {
            attempt,
            ..LogRecord::bare()
        },
    );
    measure(
        "matched",
        &LogRecord {
            matched: full.matched,
            ..LogRecord::bare()
        },
    );
}
