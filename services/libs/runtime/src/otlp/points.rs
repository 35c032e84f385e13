//! What `/metrics` shows, as OTLP's data points: counters as cumulative monotonic sums, gauges, histograms with the same
//! bounds. Names, descriptions and units are the table's; what doesn't stand there isn't exported.

mod exposition;

use super::logs::unix_nanos;
use crate::metrics::shape::{Kind, Metric, Unit};
use crate::metrics::table;
use exposition::{Labels, Sample, samples};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric as Exported, NumberDataPoint, Sum,
};
use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

/// When counting began, and now: Unix nanoseconds.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    now: u64,
}

/// All metrics that have a value.
pub(super) fn points(rendered: &str, started_at: SystemTime, now: SystemTime) -> Vec<Exported> {
    let span = Span {
        start: unix_nanos(started_at),
        now: unix_nanos(now),
    };
    let mut by_name: HashMap<&str, Vec<Sample<'_>>> = HashMap::new();
    for sample in samples(rendered) {
        by_name.entry(sample.name).or_default().push(sample);
    }
    table::all()
        .filter_map(|metric| exported(metric, &by_name, span))
        .collect()
}

fn exported(metric: &Metric, by_name: &HashMap<&str, Vec<Sample<'_>>>, span: Span) -> Option<Exported> {
    let of = |name: &str| by_name.get(name).map(Vec::as_slice).unwrap_or_default();
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    let (data, is_empty) = match metric.kind {
        Kind::Counter => {
            let read = |sample: &Sample<'_>| Some(Number::AsInt(sample.value.parse().ok()?));
            let data_points = numbers(of(metric.name), span, read);
            let is_empty = data_points.is_empty();
            let sum = Sum {
                data_points,
                aggregation_temporality,
                is_monotonic: true,
            };
            (Data::Sum(sum), is_empty)
        }
        Kind::Gauge => {
            let read = |sample: &Sample<'_>| Some(Number::AsDouble(sample.value.parse().ok()?));
            let data_points = numbers(of(metric.name), Span { start: 0, ..span }, read);
            let is_empty = data_points.is_empty();
            (Data::Gauge(Gauge { data_points }), is_empty)
        }
        Kind::Histogram(_) => {
            let [buckets, sums, counts] = ["bucket", "sum", "count"].map(|part| of(&format!("{}_{part}", metric.name)));
            let data_points = distributions(buckets, sums, counts, span);
            let is_empty = data_points.is_empty();
            let histogram = Histogram {
                data_points,
                aggregation_temporality,
            };
            (Data::Histogram(histogram), is_empty)
        }
    };
    (!is_empty).then(|| Exported {
        name: metric.name.to_owned(),
        description: metric.help.to_owned(),
        unit: unit(metric.unit).to_owned(),
        metadata: Vec::new(),
        data: Some(data),
    })
}

/// As UCUM has them. A count has none: with `1`, collectors take a gauge for a ratio.
fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "",
        Unit::Seconds => "s",
        Unit::Bytes => "By",
    }
}

fn numbers(samples: &[Sample<'_>], span: Span, read: impl Fn(&Sample<'_>) -> Option<Number>) -> Vec<NumberDataPoint> {
    let point = |sample: &Sample<'_>| {
        Some(NumberDataPoint {
            attributes: attributes(&sample.labels),
            start_time_unix_nano: span.start,
            time_unix_nano: span.now,
            value: Some(read(sample)?),
            ..NumberDataPoint::default()
        })
    };
    samples.iter().filter_map(point).collect()
}

/// Of each series: its buckets, which count what is at or below their bound, become counts of what lies between bounds.
fn distributions(
    buckets: &[Sample<'_>],
    sums: &[Sample<'_>],
    counts: &[Sample<'_>],
    span: Span,
) -> Vec<HistogramDataPoint> {
    let mut below: BTreeMap<Labels<'_>, Vec<(f64, u64)>> = BTreeMap::new();
    for bucket in buckets {
        let (series, bound) = bucket.without("le");
        let parsed = bound.and_then(|bound| Some((bound.parse().ok()?, bucket.value.parse().ok()?)));
        below.entry(series).or_default().extend(parsed);
    }
    let value = |samples: &[Sample<'_>], series: &Labels<'_>| {
        let of_series = samples.iter().find(|sample| sample.labels == *series);
        of_series.map(|sample| sample.value.to_owned())
    };
    let point = |(series, mut below): (Labels<'_>, Vec<(f64, u64)>)| {
        below.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let mut so_far = 0;
        let mut between = |(_, count): &(f64, u64)| count.saturating_sub(std::mem::replace(&mut so_far, *count));
        Some(HistogramDataPoint {
            attributes: attributes(&series),
            start_time_unix_nano: span.start,
            time_unix_nano: span.now,
            count: value(counts, &series)?.parse().ok()?,
            sum: value(sums, &series)?.parse().ok(),
            bucket_counts: below.iter().map(&mut between).collect(),
            explicit_bounds: below
                .iter()
                .map(|(bound, _)| *bound)
                .filter(|bound| bound.is_finite())
                .collect(),
            ..HistogramDataPoint::default()
        })
    };
    below.into_iter().filter_map(point).collect()
}

fn attributes(labels: &Labels<'_>) -> Vec<KeyValue> {
    let attribute = |(name, value): (&&str, &String)| KeyValue {
        key: (*name).to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.clone())),
        }),
        key_strindex: 0,
    };
    labels.iter().map(attribute).collect()
}

#[cfg(test)]
mod tests;
