//! That the table is uniform, and docs/METRICS.md and `/metrics` are what it says.

use super::*;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn names_are_uniform_and_each_stands_once() {
    let mut names = BTreeSet::new();
    for metric in table::all() {
        let name = metric.name;
        assert!(names.insert(name), "{name} stands twice");
        assert!(name.starts_with("hookline_"), "{name}");
        let ending = match (metric.kind, metric.unit) {
            (Kind::Counter, _) => Some("_total"),
            (_, Unit::Seconds) => Some("_seconds"),
            (_, Unit::Bytes) => Some("_bytes"),
            (_, Unit::Count) => None,
        };
        assert!(ending.is_none_or(|ending| name.ends_with(ending)), "{name}");
        assert!(metric.help.ends_with('.') && !metric.help.contains('|'), "{name}");
        for label in metric.labels {
            let forbidden = ["tenant", "endpoint", "event", "delivery", "url", "host"];
            assert!(!forbidden.contains(&label.name), "{name} has a label without bounds");
        }
        if let Kind::Histogram(buckets) = metric.kind {
            assert!(buckets.is_sorted(), "{name}");
        }
    }
}

#[test]
fn a_label_allows_its_values_and_no_others() {
    let outcome = table::find("hookline_deliveries_total").expect("it is there").labels;
    assert!(outcome[0].values.allow("delivered") && !outcome[0].values.allow("wh_1"));
    assert!(outcome[1].values.allow("") && outcome[1].values.allow("gone") && !outcome[1].values.allow("x"));
    let contract = table::find("hookline_contract_mismatch_total")
        .expect("it is there")
        .labels;
    for (name, allowed) in [("cases.created", true), ("mail.*", true), ("", false), ("a b", false)] {
        assert_eq!(contract[0].values.allow(name), allowed, "{name}");
    }
}

#[test]
fn docs_metrics_md_is_made_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/METRICS.md");
    let made = document::markdown();
    if std::env::var_os("HOOKLINE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &made).expect("the file can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == made,
        "docs/METRICS.md isn't what the table says: run HOOKLINE_WRITE_DOCS=1 cargo test -p runtime metrics"
    );
}

#[test]
fn what_is_rendered_has_help_and_stands_at_0_from_the_start() {
    let rendered = install().render();
    for line in [
        "# HELP hookline_lost_records_total Records that were deleted",
        "# TYPE hookline_lost_records_total counter",
        "hookline_lost_records_total{topic_class=\"lanes\"} 0",
        "hookline_circuits_open 0",
        "hookline_deferrals_total 0",
        "hookline_oldest_waiting_seconds{topic_class=\"retry\"} 0",
    ] {
        assert!(rendered.contains(line), "{line} is missing in {rendered}");
    }
}
