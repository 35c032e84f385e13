//! The process's metrics recorder. Crates record through the `metrics` facade under names that stand in
//! [`table::all`]; this installs what collects, and renders it for Prometheus. By OTLP it goes on from there. What a
//! value means to an operator is docs/METRICS.md's business, which is made from that table.

#[cfg(test)]
mod document;
pub mod shape;
pub mod table;

use crate::oldest_waiting;
use ::metrics::{Label, Unit as Of};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use shape::{Kind, Metric, Unit, Values};
use std::sync::OnceLock;
use std::time::SystemTime;

/// Upper bounds of a histogram that the table doesn't name, in seconds.
const BUCKETS_SEC: &[f64] = table::REQUEST_SEC;

/// Renders what was recorded.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    started_at: SystemTime,
}

impl Metrics {
    /// In Prometheus' text format, as of now.
    #[must_use]
    pub fn render(&self) -> String {
        oldest_waiting::measure();
        self.handle.render()
    }

    /// Since when counters count.
    pub(crate) fn started_at(&self) -> SystemTime {
        self.started_at
    }

    /// Folds histograms, so that they don't grow while nobody asks for them: to be called every few seconds.
    pub fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }
}

/// Installs the recorder for the whole process; the first call does, later ones give the same handle. Call it before
/// anything records: what was recorded before is lost.
pub fn install() -> Metrics {
    static HANDLE: OnceLock<Metrics> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let mut builder = PrometheusBuilder::new()
                .set_buckets(BUCKETS_SEC)
                .expect("the list of buckets is not empty");
            for metric in table::all() {
                if let Kind::Histogram(buckets) = metric.kind {
                    builder = builder
                        .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)
                        .expect("the list of buckets is not empty");
                }
            }
            let recorder = builder.build_recorder();
            let metrics = Metrics {
                handle: recorder.handle(),
                started_at: SystemTime::now(),
            };
            if ::metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another metrics recorder was installed first: /metrics will be empty");
            }
            table::all().for_each(describe);
            table::all().for_each(begin);
            metrics
        })
        .clone()
}

fn describe(metric: &Metric) {
    let unit = match metric.unit {
        Unit::Count => Of::Count,
        Unit::Seconds => Of::Seconds,
        Unit::Bytes => Of::Bytes,
    };
    match metric.kind {
        Kind::Counter => ::metrics::describe_counter!(metric.name, unit, metric.help),
        Kind::Gauge => ::metrics::describe_gauge!(metric.name, unit, metric.help),
        Kind::Histogram(_) => ::metrics::describe_histogram!(metric.name, unit, metric.help),
    }
}

/// Series whose labels are known beforehand stand at 0 from the start: Prometheus sees no increase in what begins at 1.
fn begin(metric: &Metric) {
    let labels: Vec<Vec<Label>> = match metric.labels {
        [] => vec![Vec::new()],
        [label] => match label.values {
            Values::Among(values) => values
                .iter()
                .map(|value| vec![Label::from_static_parts(label.name, value)])
                .collect(),
            Values::Like(_, _) => return,
        },
        _ => return,
    };
    for labels in labels {
        match metric.kind {
            Kind::Counter => ::metrics::counter!(metric.name, labels).absolute(0),
            Kind::Gauge => ::metrics::gauge!(metric.name, labels).set(0.0),
            Kind::Histogram(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
