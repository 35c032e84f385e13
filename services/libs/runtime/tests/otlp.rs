//! What a real collector gets of a process's spans, log lines and metrics, in one test: exporting is the process's, so
//! there is one a process.

use collector::{Collector, attribute, hex};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use runtime::logging::{self, Format};
use runtime::{otlp, trace};
use std::error::Error;

const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn body(record: &LogRecord) -> &str {
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        _ => "",
    }
}

#[tokio::test]
async fn a_collector_gets_spans_log_records_and_metrics_until_the_end() {
    let collector = Collector::start().await.expect("a collector");
    logging::init(Format::Json, "info,h2=debug,tower=trace").expect("logging begins");
    let metrics = runtime::metrics::install();
    assert!(
        trace::within(Some(SAMPLED), Some("c7ad6b7169203332")).is_none(),
        "nobody collects yet"
    );
    let exporting = otlp::start(&collector.endpoint(), "1.2.3").expect("it can be a collector");

    let span = trace::client("POST", Some(SAMPLED), None).expect("it is sampled");
    let span_id = span.id();
    drop(span);
    {
        let _within = trace::within(Some(SAMPLED), Some(&span_id)).expect("there was a span");
        let error: &(dyn Error + 'static) = &std::io::Error::other("no route");
        tracing::warn!(target: "dispatcher::attempt", event = "evt-1", attempt = 2, late = true, sec = 0.5, error, "attempt made");
    }
    tracing::info!(count = u64::MAX, what = ?["a"], "outside");
    tracing::debug!("below the level");
    log::warn!(target: "librdkafka", "a broker is gone");
    metrics::counter!("hookline_deferrals_total").increment(2);
    let rendered = metrics.render();
    exporting.finish().await;

    let [span] = &collector.spans()[..] else {
        panic!("one span")
    };
    assert_eq!((hex(&span.span_id), span.name.as_str()), (span_id.clone(), "POST"));

    let records = collector.log_records();
    let about = |text: &str| records.iter().find(|(_, record)| body(record) == text).expect(text);
    let (scope, made) = about("attempt made");
    assert_eq!(
        (scope.as_str(), made.severity_text.as_str(), made.severity_number),
        ("dispatcher::attempt", "WARN", 13)
    );
    assert_eq!(
        (hex(&made.trace_id), hex(&made.span_id)),
        (SAMPLED[3..35].to_owned(), span_id)
    );
    let fields =
        ["event", "attempt", "late", "sec", "error"].map(|key| attribute(&made.attributes, key).unwrap_or_default());
    assert_eq!(
        fields,
        ["evt-1", "2", "BoolValue(true)", "DoubleValue(0.5)", "no route"]
    );
    assert!(made.time_unix_nano > 0);
    let (_, outside) = about("outside");
    assert!(outside.trace_id.is_empty() && outside.span_id.is_empty());
    assert_eq!(attribute(&outside.attributes, "count"), Some(u64::MAX.to_string()));
    assert_eq!(attribute(&outside.attributes, "what").as_deref(), Some("[\"a\"]"));
    let (scope, broker) = about("a broker is gone");
    assert_eq!(
        (scope.as_str(), broker.attributes.len()),
        ("librdkafka", 0),
        "as on stderr"
    );
    assert_eq!(
        records.len(),
        3,
        "nothing below the level, nothing of the export itself: {records:?}"
    );

    let [exported] = &collector.metrics()[..] else {
        panic!("one export, the last")
    };
    let shown = rendered.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for line in shown {
        let (name, kind) = line.split_once(' ').expect("a kind");
        let metric = exported.iter().find(|metric| metric.name == name).expect(name);
        let is_kind = match metric.data.as_ref() {
            Some(Data::Sum(_)) => kind == "counter",
            Some(Data::Gauge(_)) => kind == "gauge",
            Some(Data::Histogram(_)) => kind == "histogram",
            _ => false,
        };
        assert!(is_kind, "{metric:?} isn't a {kind}");
    }

    let senders = collector.senders();
    assert_eq!(senders.len(), 3, "a request of each kind");
    for sender in &senders {
        assert_eq!(sender, &senders[0], "all of the same process");
        assert_eq!(attribute(sender, "service.name").as_deref(), Some("hookline"));
        assert_eq!(attribute(sender, "service.version").as_deref(), Some("1.2.3"));
    }
    let rendered = metrics.render();
    for line in [
        "hookline_otel_spans_total{result=\"exported\"} 1",
        "hookline_otel_log_records_total{result=\"exported\"} 3",
        "hookline_otel_metric_exports_total{result=\"exported\"} 1",
        "hookline_otel_log_records_total{result=\"dropped\"} 0",
    ] {
        assert!(rendered.contains(line), "{line} is missing in {rendered}");
    }
}
