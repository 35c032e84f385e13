//! That what goes to a collector is what `/metrics` shows.

use super::*;
use crate::metrics::table;
use std::collections::BTreeSet;
use std::time::Duration;

const START: Duration = Duration::from_secs(1_000);
const NOW: Duration = Duration::from_secs(1_015);

fn of(rendered: &str) -> Vec<Exported> {
    points(rendered, SystemTime::UNIX_EPOCH + START, SystemTime::UNIX_EPOCH + NOW)
}

#[test]
fn what_is_recorded_comes_out_with_help_unit_and_the_tables_bounds() {
    let metrics = crate::metrics::install();
    metrics::counter!("hookline_rejected_total", "reason" => "invalid").increment(3);
    metrics::counter!("hookline_unheard_of_total").increment(1);
    metrics::gauge!("hookline_buffered_bytes").set(12.5);
    for seconds in [0.0005, 0.3, 0.3, 1_000.0] {
        metrics::histogram!("hookline_fanout_batch_seconds").record(seconds);
    }
    let exported = of(&metrics.render());
    let named = |name: &str| {
        exported
            .iter()
            .find(|metric| metric.name == name)
            .expect("it is exported")
            .clone()
    };

    let rejected = named("hookline_rejected_total");
    assert_eq!(
        rejected.description,
        table::find(&rejected.name).expect("it is there").help
    );
    assert_eq!(rejected.unit, "");
    let Some(Data::Sum(sum)) = rejected.data else {
        panic!("a counter is a sum")
    };
    assert!(sum.is_monotonic);
    assert_eq!(sum.aggregation_temporality(), AggregationTemporality::Cumulative);
    assert_eq!(sum.data_points.len(), 6, "one for each reason, from the start");
    let invalid = sum
        .data_points
        .iter()
        .find(|point| format!("{:?}", point.attributes).contains("\"invalid\""));
    let invalid = invalid.expect("its reason is an attribute");
    assert_eq!(invalid.value, Some(Number::AsInt(3)));
    assert_eq!(
        (invalid.start_time_unix_nano, invalid.time_unix_nano),
        (1_000_000_000_000, 1_015_000_000_000)
    );

    let buffered = named("hookline_buffered_bytes");
    assert_eq!(buffered.unit, "By");
    let Some(Data::Gauge(gauge)) = buffered.data else {
        panic!("it is a gauge")
    };
    assert_eq!(gauge.data_points[0].value, Some(Number::AsDouble(12.5)));

    let batch = named("hookline_fanout_batch_seconds");
    assert_eq!(batch.unit, "s");
    let Some(Data::Histogram(histogram)) = batch.data else {
        panic!("it is a histogram")
    };
    let [point] = &histogram.data_points[..] else {
        panic!("one series")
    };
    assert_eq!(point.explicit_bounds, table::REQUEST_SEC);
    assert_eq!(point.bucket_counts, [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1]);
    assert_eq!((point.count, point.sum), (4, Some(1000.6005)));

    assert!(!exported.iter().any(|metric| metric.name == "hookline_unheard_of_total"));
}

#[test]
fn a_series_that_cant_be_read_is_left_out() {
    let exported =
        of("hookline_circuits_open x\nhookline_deferrals_total 2\nhookline_attempt_seconds_bucket{le=\"1\"} 1\n");
    let names: BTreeSet<_> = exported.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["hookline_deferrals_total"]));
}
