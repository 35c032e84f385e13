//! Chunks, and what is written for each place. Whole flows are tested on real Kafka.

use super::*;
use crate::judge::Matched;
use event_model::{Event, ids};
use schemas::{OwnSchemas, Source, decode};
use std::sync::Arc;

fn matched(endpoints: usize, place: Place) -> Matched {
    let event = Event {
        id: "evt_1".into(),
        tenant: "org_1".into(),
        event_type: "cases.created".into(),
        occurred_at: "2026-11-21T10:00:00Z".into(),
        data: serde_json::value::RawValue::from_string("{\"a\":1.0}".into()).expect("the test's own JSON"),
        cloud_source: None,
        traceparent: None,
        timestamp_ms: 1,
        source: Source {
            topic: "events".into(),
            partition: 0,
            offset: 7,
        },
    };
    let target = |n: usize| {
        let endpoint_id: Arc<str> = format!("wh_{n:04}").into();
        let delivery_id = ids::delivery_id("evt_1", &endpoint_id);
        Target {
            endpoint_id,
            delivery_id,
            envelope: Envelope::Standard,
            place,
        }
    };
    Matched {
        event,
        matched_at_ms: 2,
        ledger_version: 3,
        targets: (0..endpoints).map(target).collect(),
    }
}

fn chunk(of: &Matched, number: usize) -> schemas::Matched {
    let outgoing = of.chunk(number, &Names::new("h.")).expect("it is encoded");
    let record: LogRecord = decode(&outgoing.value.expect("no tombstone"), &OwnSchemas).expect("it is read back");
    record.matched.expect("a matched record")
}

#[test]
fn endpoints_are_logged_in_chunks_of_a_thousand_with_the_data_in_the_first() {
    for (endpoints, sizes) in [(0, vec![0]), (1_000, vec![1_000]), (2_001, vec![1_000, 1_000, 1])] {
        let of = matched(endpoints, Place::Lane(0));
        assert_eq!(of.chunks(), sizes.len());
        for (number, size) in sizes.into_iter().enumerate() {
            let chunk = chunk(&of, number);
            assert_eq!(chunk.endpoints.len(), size);
            assert_eq!(chunk.data.is_empty(), number > 0);
            assert_eq!(usize::try_from(chunk.chunk).ok(), Some(number));
            assert_eq!(usize::try_from(chunk.chunks).ok(), Some(of.chunks()));
        }
    }
}

#[test]
fn each_place_has_its_topic() {
    let names = Names::new("h.");
    for (place, topic) in [
        (Place::Lane(3), Some(("h.lanes", 3))),
        (Place::Dedicated(2), Some(("h.endpoint.wh_0000.2", 0))),
        (Place::Returns(1), Some(("h.returns", 1))),
        (
            Place::Dead,
            Some(("h.dlq", partition(ids::delivery_id("evt_1", "wh_0000").as_bytes(), 8))),
        ),
        (Place::Cancelled, None),
    ] {
        let of = matched(1, place);
        let outgoing = of
            .delivery(&of.targets[0], &mut Bodies::default(), &names)
            .expect("it is encoded");
        let went = outgoing
            .as_ref()
            .map(|o| (o.topic.as_str(), o.partition.expect("always given")));
        assert_eq!(went, topic, "{place:?}");
    }
}

#[test]
fn a_body_is_rendered_once_for_an_envelope() {
    let of = matched(2, Place::Lane(0));
    let mut bodies = Bodies::default();
    let first = bodies.of(&of, Envelope::Standard).body.as_ptr();
    assert_eq!(bodies.of(&of, Envelope::Standard).body.as_ptr(), first);
    assert_eq!(bodies.0.iter().flatten().count(), 1);
}
