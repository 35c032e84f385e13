//! docs/METRICS.md, made from the table.

use super::shape::{Kind, LabelOf, Unit, Values};
use super::table::METRICS;
use std::fmt::Write as _;

/// docs/METRICS.md.
pub(super) fn markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str("| metric | role | kind | unit | labels | what it says |\n|---|---|---|---|---|---|\n");
    for metric in METRICS {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let unit = match metric.unit {
            Unit::Count => "",
            Unit::Seconds => "s",
            Unit::Bytes => "bytes",
        };
        let labels: Vec<String> = metric.labels.iter().map(shown).collect();
        let (name, role, help, labels) = (metric.name, metric.role, metric.help, labels.join("; "));
        writeln!(text, "| `{name}` | {role} | {kind} | {unit} | {labels} | {help} |")
            .expect("a String takes everything");
    }
    text.push_str("\n## Buckets\n\n| histogram | upper bounds, seconds |\n|---|---|\n");
    for metric in METRICS {
        if let Kind::Histogram(buckets) = metric.kind {
            let bounds: Vec<String> = buckets.iter().map(f64::to_string).collect();
            writeln!(text, "| `{}` | {} |", metric.name, bounds.join(", ")).expect("a String takes everything");
        }
    }
    text.push_str(CONCLUSION);
    text
}

fn shown(label: &LabelOf) -> String {
    let values = match label.values {
        Values::Among(values) => values
            .iter()
            .map(|value| format!("`{value}`"))
            .collect::<Vec<_>>()
            .join(", "),
        Values::Like(described, _) => described.to_owned(),
    };
    format!("`{}`: {values}", label.name)
}

const INTRODUCTION: &str = "\
<!-- Made from services/libs/runtime/src/metrics/table.rs: run
     `HOOKLINE_WRITE_DOCS=1 cargo test -p runtime metrics` after a change there. -->

# Metrics

Every process answers `/metrics` at `admin.listen` in Prometheus' text format. Labels are bounded: no tenant, endpoint,
delivery or event is ever one; what happened to one of them is in the topic `log`, in the logs and in traces. Counters and
gauges whose labels are known beforehand stand at 0 from the start.

";

const CONCLUSION: &str = "
## Traces

With `otel.endpoint` a process sends spans by OTLP (gRPC) to that collector; metrics stay at `/metrics`, and logs on
stderr. A record's `traceparent` header names the trace:

| span | kind | parent | attributes |
|---|---|---|---|
| `process <source topic>` | consumer | the record's `traceparent` | `messaging.system`, `messaging.operation.name`, `messaging.operation.type`, `messaging.destination.name`, `messaging.destination.partition.id`, `messaging.kafka.offset`, `messaging.message.id` (the event), `hookline.tenant`, `hookline.event.type`, `hookline.deliveries`; rejected: `error.type` |
| `POST` | client | `process …` | `http.request.method`, `http.request.resend_count`, `http.response.status_code`, `server.address`, `server.port`, `error.type`, `messaging.message.id` (the event), `hookline.delivery`, `hookline.endpoint`, `hookline.tenant`, `hookline.attempt`, `messaging.destination.template` |

Each attempt is a span of its own in the same trace, with a link to the attempt before it. The request's `traceparent`
header is that of its attempt, so the receiver's spans hang below it. A URL's path and query, headers and bodies are never
in a span.

Whether a trace is recorded is for whoever began it to say: a record whose `traceparent` isn't sampled makes no spans, and
its header goes to the endpoint as it came. An event without one begins a trace, sampled as `OTEL_TRACES_SAMPLER` and
`OTEL_TRACES_SAMPLER_ARG` say (by default, always). Without `otel.endpoint` no span is made, and events without a
`traceparent` get one that isn't sampled.

At most 4,096 spans wait for export; what is more is dropped and counted in `hookline_otel_spans_total`. A collector that
is slow or gone holds no delivery up. A process that ends spends at most 5 s on sending the rest. The standard variables
`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_EXPORTER_OTLP_HEADERS` are obeyed.
";
