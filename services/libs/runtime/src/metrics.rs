//! The process's metrics recorder. Crates record through the `metrics` facade; this one installs what collects, and
//! renders it for Prometheus.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;

/// Upper bounds of every histogram, in seconds: from a fast local receiver to the longest request timeout.
const BUCKETS_SEC: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];

/// Installs the recorder for the whole process; the first call does, later ones give the same handle. Call it before
/// anything records: what was recorded before is lost.
pub fn install() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new()
                .set_buckets(&BUCKETS_SEC)
                .expect("the list of buckets is not empty")
                .build_recorder();
            let handle = recorder.handle();
            if ::metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another metrics recorder was installed first: /metrics will be empty");
            }
            handle
        })
        .clone()
}
