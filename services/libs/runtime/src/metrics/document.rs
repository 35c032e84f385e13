//! docs/METRICS.md, made from the table.

use super::shape::{Kind, LabelOf, Unit, Values};
use super::table;
use std::fmt::Write as _;

/// docs/METRICS.md.
pub(super) fn markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str("| metric | role | kind | unit | labels | what it says |\n|---|---|---|---|---|---|\n");
    for metric in table::all() {
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
    for metric in table::all() {
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

Every process answers `/metrics` at `admin.listen` in Prometheus' text format, and with `otel.endpoint` sends the same by
OTLP. Labels are bounded: no tenant, endpoint, delivery or event is ever one; what happened to one of them is in the topic
`log`, in the logs and in traces. Counters and gauges whose labels are known beforehand stand at 0 from the start.

";

const CONCLUSION: &str = "
## By OTLP

With `otel.endpoint` a process sends traces, metrics and logs by OTLP (gRPC) to that collector; `/metrics` and the lines on
stderr stay as they are. Each signal has a task and a bounded queue of its own, so a collector that is slow or gone holds no
delivery up: what can't be sent is dropped and counted, and one line in the log says so, at most one a minute for each
signal. A process that ends spends at most 5 s on sending the rest. The standard variables `OTEL_SERVICE_NAME`,
`OTEL_RESOURCE_ATTRIBUTES` and `OTEL_EXPORTER_OTLP_HEADERS` (and, for one signal alone, `OTEL_EXPORTER_OTLP_TRACES_HEADERS`,
`…_METRICS_HEADERS`, `…_LOGS_HEADERS`) are obeyed. All signals have the same resource: `service.name` (`hookline`),
`service.version`, `service.instance.id` (new with each start, unless `OTEL_RESOURCE_ATTRIBUTES` names one),
`telemetry.sdk.*`, and what `OTEL_RESOURCE_ATTRIBUTES` adds.

- **Metrics**: all of the table that have a value, every 15 s and once more at the end, under the same names, with the
  description and unit (`s`, `By`, none for a count) that stand there. Counters are cumulative monotonic sums since the
  process began; histograms are cumulative, with the bounds above. `hookline_otel_metric_exports_total` counts the exports.
- **Logs**: every line that `log.level` lets through, as a record with its text as body, its severity, its crate and module
  as scope, and its fields as attributes; an attempt's lines also carry its trace and span, when that is recorded. Lines of
  the crates that carry the export itself (`tonic`, `tower`, `h2`, `hyper`, `rustls`) stay on stderr, as each export would make
  the next. At most 4,096 records wait; `hookline_otel_log_records_total` counts them. Lines before the collector is known and
  after the last export, such as `ended in order`, are on stderr alone.
- **Traces**: below. At most 4,096 spans wait; `hookline_otel_spans_total` counts them.

## Traces

A record's `traceparent` header names the trace:

| span | kind | parent | attributes |
|---|---|---|---|
| `process <source topic>` | consumer | the record's `traceparent` | `messaging.system`, `messaging.operation.name`, `messaging.operation.type`, `messaging.destination.name`, `messaging.destination.partition.id`, `messaging.kafka.offset`, `messaging.message.id` (the event), `hookline.tenant`, `hookline.event.type`, `hookline.deliveries`; rejected: `error.type` |
| `POST` | client | `process …` | `http.request.method`, `http.request.resend_count`, `http.response.status_code`, `server.address`, `server.port`, `error.type`, `messaging.message.id` (the event), `hookline.delivery`, `hookline.endpoint`, `hookline.tenant`, `hookline.attempt`, `messaging.destination.template` |
| `<method> <route>` | server | the request's `traceparent` | `http.request.method`, `http.route`, `http.response.status_code`, `hookline.tenant`; 5xx: `error.type` |

Each attempt is a span of its own in the same trace, with a link to the attempt before it. The request's `traceparent`
header is that of its attempt, so the receiver's spans hang below it. A URL's path and query, headers and bodies are never
in a span.

Whether a trace is recorded is for whoever began it to say: a record whose `traceparent` isn't sampled makes no spans, and
its header goes to the endpoint as it came. An event without one begins a trace, sampled as `OTEL_TRACES_SAMPLER` and
`OTEL_TRACES_SAMPLER_ARG` say (by default, always). Without `otel.endpoint` no span is made, and events without a
`traceparent` get one that isn't sampled.
";
