//! `/metrics` and the log of a process that does everything: what is shown is documented, bounded, and right.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acceptance::{Stage, TYPE};
use harness::logbook::Outcome;
use harness::{Answer, Behaviour, Options, until};
use runtime::metrics::shape::Kind;
use runtime::metrics::table;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
const EVENTS: usize = 10;

/// One line of `/metrics`.
#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

fn parse(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.trim_end_matches('}')),
        None => (series, ""),
    };
    let pairs = labels.split("\",").filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (label, value) = pair.split_once("=\"").expect("a label");
        (label.to_owned(), value.trim_end_matches('"').to_owned())
    };
    Sample {
        name: name.to_owned(),
        labels: pairs.map(pair).collect(),
        value: value.parse().expect("a number"),
    }
}

fn samples(rendered: &str) -> Vec<Sample> {
    let lines = rendered.lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(parse).collect()
}

/// The metric that a sample belongs to.
fn base(name: &str) -> &str {
    let parts = ["_bucket", "_sum", "_count"];
    let base = parts.iter().find_map(|part| name.strip_suffix(part));
    base.filter(|base| table::find(base).is_some_and(|m| matches!(m.kind, Kind::Histogram(_))))
        .unwrap_or(name)
}

fn assert_documented(sample: &Sample) {
    let metric = table::find(base(&sample.name)).unwrap_or_else(|| panic!("{sample:?} isn't documented"));
    for (label, value) in &sample.labels {
        if label == "le" && matches!(metric.kind, Kind::Histogram(_)) {
            continue;
        }
        let documented = metric.labels.iter().find(|documented| documented.name == label);
        let documented = documented.unwrap_or_else(|| panic!("{sample:?}: {label} isn't documented"));
        assert!(documented.values.allow(value), "{sample:?}: {value} isn't documented");
    }
}

/// The sum of a metric's samples that have this label value, or of all.
fn sum(samples: &[Sample], name: &str, label: Option<(&str, &str)>) -> f64 {
    let of_name = samples.iter().filter(|sample| sample.name == name);
    let has =
        |sample: &&Sample| label.is_none_or(|(label, value)| sample.labels.get(label).is_some_and(|v| v == value));
    of_name.filter(has).map(|sample| sample.value).sum()
}

#[tokio::test]
async fn every_metric_is_documented_bounded_and_right() {
    let options = Options::new("metrics")
        .set("delivery.retry_schedule_sec", "[1]")
        .set("log.format", "json")
        .set("log.level", "info,dispatcher=debug");
    let stage = Stage::set(options).await.expect("an installation");
    let rest = stage.installation.serve("all", &["all"]).await.expect("ready");
    let good = stage.door("good", |_| ()).await.expect("an endpoint");
    let flaky = stage
        .door("flaky", |endpoint| endpoint.placement = "shared".into())
        .await;
    let flaky = flaky.expect("an endpoint");
    flaky.hook.behave(Behaviour::flaky(1, 500));
    let broken = stage.door("broken", |_| ()).await.expect("an endpoint");
    broken.hook.behave(Behaviour::always(Answer::status(500)));
    let paused = stage.door("paused", |endpoint| {
        endpoint.placement = "dedicated".into();
        endpoint.status = "paused".into();
    });
    let paused = paused.await.expect("an endpoint");
    let forbidden = stage
        .direct
        .endpoint(&stage.tenant, "http://10.0.0.1/", &["*"], |_| ())
        .await;
    let forbidden = forbidden.expect("an endpoint").id;
    let ids = stage.publish(EVENTS).await.expect("published");
    stage.publish_for("org_nobody", 2).await.expect("published");
    stage.arrive(&ids, &[&good, &flaky]).await.expect("they arrive");
    for endpoint in [&broken.id, &forbidden] {
        stage
            .fate(&ids[EVENTS - 1], endpoint, Outcome::Dead)
            .await
            .expect("dead");
    }
    let events = EVENTS as f64;
    let expected = [
        ("hookline_events_total", Some(("result", "matched")), events),
        ("hookline_rejected_total", Some(("reason", "unknown_tenant")), 2.0),
        ("hookline_matched_total", None, events * 5.0),
        ("hookline_fanout_delay_seconds_count", None, events),
        (
            "hookline_deliveries_total",
            Some(("outcome", "delivered")),
            events * 2.0,
        ),
        ("hookline_delivery_age_seconds_count", None, events * 2.0),
        (
            "hookline_dead_letters_total",
            Some(("reason", "retries_exhausted")),
            events * 2.0,
        ),
        ("hookline_retries_scheduled_total", None, events * 3.0),
        ("hookline_retry_released_total", None, events * 3.0),
        ("hookline_retry_lateness_seconds_count", None, events * 3.0),
        ("hookline_attempt_seconds_count", None, events * 7.0),
        ("hookline_egress_denied_total", Some(("kind", "address")), events * 2.0),
        ("hookline_lost_records_total", None, 0.0),
        ("hookline_circuits_open", None, 0.0),
        ("hookline_shards_owned", None, 8.0),
    ];
    let read = async || samples(&rest.metrics().await.expect("metrics"));
    until("the counts are right", PATIENCE, async || {
        let samples = read().await;
        let wrong = expected
            .iter()
            .find(|(name, label, count)| sum(&samples, name, *label) != *count);
        wrong.map_or(Ok(()), |(name, label, count)| {
            Err(format!(
                "{name} {label:?} is {} instead of {count}",
                sum(&samples, name, *label)
            ))
        })
    })
    .await
    .expect("counted");
    // Its deliveries wait where they are, and nothing else does.
    until("what waits is seen", PATIENCE, async || {
        let samples = read().await;
        let ages = ["dedicated", "lanes", "returns", "retry", "source"].map(|class| {
            sum(
                &samples,
                "hookline_oldest_waiting_seconds",
                Some(("topic_class", class)),
            )
        });
        if ages[0] > 1.0 && ages[1..] == [0.0; 4] {
            Ok(())
        } else {
            Err(format!("{ages:?}"))
        }
    })
    .await
    .expect("seen");
    assert_eq!(paused.hook.tally().requests, 0);

    for process in [&rest, &stage.api] {
        let rendered = process.metrics().await.expect("metrics");
        let samples = samples(&rendered);
        assert!(samples.len() > 50, "{rendered}");
        for sample in &samples {
            assert_documented(sample);
            assert!(
                rendered.contains(&format!("# HELP {} ", base(&sample.name))),
                "{sample:?} has no help"
            );
        }
        for secret in [&stage.tenant, &good.id, &ids[0], &TYPE.to_owned()] {
            assert!(!rendered.contains(secret.as_str()), "/metrics names {secret}");
        }
    }
    assert_log_names_what_it_is_about(&stage, &ids, &good.id);
    stage.strike(vec![rest]).await.expect("ends in order");
}

/// Lines about a delivery carry `event`, `delivery` and `endpoint`, and no other names for them.
fn assert_log_names_what_it_is_about(stage: &Stage, ids: &[String], endpoint: &str) {
    let log = std::fs::read_to_string(stage.installation.log_dir().join("all.log")).expect("a log");
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mut told = BTreeSet::new();
    for line in &lines {
        for name in ["event_id", "delivery_id", "endpoint_id"] {
            assert!(line.get(name).is_none(), "{line}");
        }
        if line.get("delivery").is_some() {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            assert!(
                text("delivery").starts_with("dlv_") && text("endpoint").starts_with("wh_"),
                "{line}"
            );
            assert!(!text("event").is_empty(), "{line}");
            told.insert((text("event"), text("endpoint")));
        }
    }
    for id in ids {
        assert!(
            told.contains(&(id.clone(), endpoint.to_owned())),
            "the log says nothing of {id}"
        );
    }
}
