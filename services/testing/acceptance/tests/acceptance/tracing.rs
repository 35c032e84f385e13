//! What a collector gets by OTLP: traces, from the producer's `traceparent` through fan-out and each attempt to the
//! receiver; log records, and metrics.

use std::collections::BTreeSet;
use std::time::Duration;

use acceptance::{Door, Stage, TYPE};
use collector::{Collector, attribute, hex};
use harness::publish::{Told, header};
use harness::{Behaviour, Options, until};
use kafka_log::Producer;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(60);
const ROLES: [&str; 3] = ["fanout", "dispatcher", "scheduler"];
const CONSUMER: i32 = 5;
const CLIENT: i32 = 3;
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const UNSAMPLED: &str = "00-1bf7651916cd43dd8448eb211c80319d-c7ad6b7169203332-00";
const PAYLOAD: &str = "payload-marker-5d1e";

/// Publishes an event, with this header if there is one.
async fn publish(stage: &Stage, id: &str, traceparent: Option<&str>) {
    let topic = stage.installation.names().events();
    let data = json!({ "vaultId": "v", "objectId": PAYLOAD });
    let mut record = Told::new(id, TYPE, &stage.tenant, &data).hookline_json(&topic);
    record
        .headers
        .extend(traceparent.map(|value| header("traceparent", value)));
    let producer = Producer::new(&stage.installation.connection()).expect("a producer");
    producer.write_all(&[record]).await.expect("published");
}

/// The `traceparent` of each request for an event.
fn sent(door: &Door, event: &str) -> Vec<String> {
    let requests = door.hook.requests().into_iter();
    let of_event = requests.filter(|request| request.event_id == event);
    let value = |request: harness::Seen| {
        request
            .headers
            .get("traceparent")
            .map(|v| v.to_str().unwrap_or("").to_owned())
    };
    of_event.map(|request| value(request).unwrap_or_default()).collect()
}

/// The spans of an event, once there are so many, in the order in which they began.
async fn spans(collector: &Collector, event: &str, count: usize) -> Vec<Span> {
    let of_event = || {
        let mut spans = collector.spans();
        spans.retain(|span| attribute(&span.attributes, "messaging.message.id").as_deref() == Some(event));
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    };
    until("the spans come", PATIENCE, async || match of_event().len() {
        came if came == count => Ok(()),
        came => Err(format!("{came} of {count} for {event}")),
    })
    .await
    .expect("spans");
    of_event()
}

#[tokio::test]
async fn one_trace_leads_from_the_producer_through_each_attempt_to_the_receiver() {
    let collector = Collector::start().await.expect("a collector");
    let options = Options::new("traces")
        .set("otel.endpoint", collector.endpoint())
        .set("delivery.retry_schedule_sec", "[1]")
        .set("log.level", "info,dispatcher=debug");
    let stage = Stage::set(options).await.expect("an installation");
    let door = stage.door("secret-path", |_| ()).await.expect("an endpoint");
    door.hook.keep_contents();
    door.hook.behave(Behaviour::flaky(1, 503));
    let rest = stage.installation.serve("rest", &ROLES).await.expect("ready");

    publish(&stage, "evt-sampled", Some(&format!("00-{TRACE}-b7ad6b7169203331-01"))).await;
    publish(&stage, "evt-unsampled", Some(UNSAMPLED)).await;
    publish(&stage, "evt-bare", None).await;
    let ids = ["evt-sampled", "evt-unsampled", "evt-bare"].map(str::to_owned);
    stage.arrive(&ids, &[&door]).await.expect("all arrive");

    let found = spans(&collector, "evt-sampled", 3).await;
    assert!(found.iter().all(|span| hex(&span.trace_id) == TRACE), "one trace");
    let [fanout, first, second] = &found[..] else {
        panic!("three spans")
    };
    assert_eq!(fanout.name, format!("process {}", stage.installation.names().events()));
    assert_eq!(
        (fanout.kind, hex(&fanout.parent_span_id).as_str()),
        (CONSUMER, "b7ad6b7169203331")
    );
    assert_eq!(
        attribute(&fanout.attributes, "hookline.deliveries").as_deref(),
        Some("1")
    );
    for (attempt, number, status) in [(first, "1", "503"), (second, "2", "200")] {
        assert_eq!((attempt.name.as_str(), attempt.kind), ("POST", CLIENT));
        assert_eq!(attempt.parent_span_id, fanout.span_id, "below fan-out's");
        assert_eq!(
            attribute(&attempt.attributes, "hookline.attempt").as_deref(),
            Some(number)
        );
        assert_eq!(
            attribute(&attempt.attributes, "http.response.status_code").as_deref(),
            Some(status)
        );
        assert_eq!(
            attribute(&attempt.attributes, "hookline.endpoint"),
            Some(door.id.clone())
        );
    }
    assert!(first.links.is_empty());
    assert_eq!(second.links.len(), 1, "a retry is linked");
    assert_eq!(
        (&second.links[0].span_id, &second.links[0].trace_id),
        (&first.span_id, &first.trace_id)
    );
    let expected = [first, second].map(|span| format!("00-{TRACE}-{}-01", hex(&span.span_id)));
    assert_eq!(
        sent(&door, "evt-sampled"),
        expected,
        "the receiver goes on with the attempt's span"
    );

    let bare = spans(&collector, "evt-bare", 3).await;
    let traces: BTreeSet<_> = bare.iter().map(|span| &span.trace_id).collect();
    assert_eq!(traces.len(), 1, "an event without a trace begins one");
    assert!(bare[0].parent_span_id.is_empty(), "at fan-out");

    assert_eq!(
        sent(&door, "evt-unsampled"),
        [UNSAMPLED, UNSAMPLED],
        "handed on as it came"
    );
    assert!(
        !collector.traces_as_text().contains("evt-unsampled"),
        "what isn't sampled makes no spans"
    );
    let metrics = rest.metrics().await.expect("metrics");
    assert!(
        metrics.contains("hookline_otel_spans_total{result=\"exported\"} 6"),
        "{metrics}"
    );
    stage.strike(vec![rest]).await.expect("ends in order");
    assert_logs_name_what_they_are_about(&collector, &door, &[first, second]);
    assert_metrics_are_those_of_the_process(&collector, &metrics);
    let dump = collector.dump();
    for hidden in [PAYLOAD, "secret-path", door.secret.trim_start_matches("whsec_")] {
        assert!(!dump.contains(hidden), "the collector is shown {hidden}");
    }
}

/// Each attempt's record has its ids, and the trace and span of the attempt when there is one.
fn assert_logs_name_what_they_are_about(collector: &Collector, door: &Door, attempts: &[&Span]) {
    let records = collector.log_records();
    let of_event = |event: &str| {
        let of_it = |(_, record): &&(_, LogRecord)| attribute(&record.attributes, "event").as_deref() == Some(event);
        records.iter().filter(of_it).collect::<Vec<_>>()
    };
    let sampled = of_event("evt-sampled");
    assert_eq!(sampled.len(), attempts.len(), "{sampled:?}");
    for ((scope, record), attempt) in sampled.into_iter().zip(attempts) {
        assert!(scope.starts_with("dispatcher"), "{scope}");
        assert_eq!(record.severity_text, "DEBUG");
        assert_eq!(attribute(&record.attributes, "endpoint"), Some(door.id.clone()));
        let delivery = attribute(&record.attributes, "delivery");
        assert_eq!(delivery, attribute(&attempt.attributes, "hookline.delivery"));
        assert_eq!(
            (&record.trace_id, &record.span_id),
            (&attempt.trace_id, &attempt.span_id)
        );
    }
    let unsampled = of_event("evt-unsampled");
    assert!(!unsampled.is_empty() && unsampled.iter().all(|(_, record)| record.trace_id.is_empty()));
}

/// The last export has every metric that `/metrics` showed, with what was counted.
fn assert_metrics_are_those_of_the_process(collector: &Collector, shown: &str) {
    let delivered = |exported: &Vec<Metric>| {
        let metric = exported
            .iter()
            .find(|metric| metric.name == "hookline_deliveries_total")?;
        let Some(Data::Sum(sum)) = &metric.data else {
            return None;
        };
        let has = |point: &&NumberDataPoint| attribute(&point.attributes, "outcome").as_deref() == Some("delivered");
        sum.data_points.iter().find(has)?.value
    };
    let exports = collector.metrics();
    let last = exports
        .iter()
        .rfind(|exported| delivered(exported) == Some(Number::AsInt(3)));
    let last = last.expect("the last export has all deliveries");
    for name in shown
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
    {
        assert!(last.iter().any(|metric| metric.name == name), "{name} is not exported");
    }
}

#[tokio::test]
async fn without_a_collector_the_trace_context_is_handed_on() {
    let stage = Stage::set(Options::new("untraced")).await.expect("an installation");
    let door = stage.door("plain", |_| ()).await.expect("an endpoint");
    door.hook.keep_contents();
    let rest = stage.installation.serve("rest", &ROLES).await.expect("ready");
    let sampled = format!("00-{TRACE}-b7ad6b7169203331-01");
    publish(&stage, "evt-1", Some(&sampled)).await;
    stage.arrive(&["evt-1".to_owned()], &[&door]).await.expect("it arrives");
    assert_eq!(sent(&door, "evt-1"), [sampled]);
    stage.strike(vec![rest]).await.expect("ends in order");
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_neither_deliveries_nor_the_end() {
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", silent.local_addr().expect("it is bound"));
    let options = Options::new("silent").set("otel.endpoint", endpoint);
    let stage = Stage::set(options).await.expect("an installation");
    let door = stage.door("door", |_| ()).await.expect("an endpoint");
    let mut rest = stage.installation.serve("rest", &ROLES).await.expect("ready");
    // Of each event two spans: more than the queue and a batch.
    let ids = stage.publish(3_000).await.expect("published");
    stage.arrive(&ids, &[&door]).await.expect("all arrive");
    until("what doesn't fit is dropped", PATIENCE, async || {
        let metrics = rest.metrics().await.map_err(|error| error.to_string())?;
        let dropped = metrics.lines().any(|line| {
            let count = line.strip_prefix("hookline_otel_spans_total{result=\"dropped\"} ");
            count
                .and_then(|count| count.parse::<u64>().ok())
                .is_some_and(|count| count > 0)
        });
        if dropped {
            Ok(())
        } else {
            Err("nothing dropped".to_owned())
        }
    })
    .await
    .expect("dropped");
    let took = rest.terminate().await.expect("it ends in order");
    assert!(took < Duration::from_secs(20), "ending took {took:?}");
    drop(silent);
    stage.strike(vec![]).await.expect("ends in order");
}
