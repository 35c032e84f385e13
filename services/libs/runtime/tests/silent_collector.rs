//! A collector that takes connections and never answers costs telemetry, which is counted, and neither memory nor the
//! end of the process. Time is paused: it jumps to whatever is waited for.

use runtime::{logging, otlp, trace};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// More than wait.
const SPANS: u64 = 5_000;

fn value(rendered: &str, series: &str) -> u64 {
    let line = rendered.lines().find_map(|line| line.strip_prefix(series));
    line.and_then(|value| value.trim().parse().ok()).expect(series)
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_never_answers_costs_what_is_counted_and_no_more() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}", silent.local_addr().expect("it is bound"));
    logging::init(logging::Format::Json, "error").expect("logging begins");
    let metrics = runtime::metrics::install();
    let exporting = otlp::start(&endpoint, "1").expect("it can be a collector");
    for _ in 0..SPANS {
        drop(trace::client("POST", Some(SAMPLED), None).expect("it is sampled"));
    }
    tracing::error!("one line");
    sleep(Duration::from_secs(120)).await;

    let rendered = metrics.render();
    let count =
        |what: &str, result: &str| value(&rendered, &format!("hookline_otel_{what}_total{{result=\"{result}\"}}"));
    assert_eq!(count("spans", "failed") + count("spans", "dropped"), SPANS);
    assert!(count("spans", "dropped") > 0, "the queue has an end");
    assert_eq!(count("log_records", "failed"), 1);
    let exports = count("metric_exports", "failed");
    assert!((4..=8).contains(&exports), "every 15 s: {exports}");
    for what in ["spans", "log_records", "metric_exports"] {
        assert_eq!(count(what, "exported"), 0);
    }

    let ending = Instant::now();
    exporting.finish().await;
    assert!(ending.elapsed() <= Duration::from_secs(6), "{:?}", ending.elapsed());
    drop(silent);
}
