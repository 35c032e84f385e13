//! The three signals, and what is said of their exports: a count of each, and a line in the log when it begins to fail.

use super::collector::Failed;
use std::time::Duration;
use tokio::time::Instant;

/// Between two complaints about the same signal lies at least this.
const QUIET: Duration = Duration::from_secs(60);

/// One of traces, logs and metrics.
#[derive(Debug)]
pub(super) struct Signal {
    pub(super) what: &'static str,
    /// Counts by result.
    pub(super) metric: &'static str,
    /// The standard variable with headers for this signal alone.
    pub(super) headers: &'static str,
}

pub(super) static SPANS: Signal = Signal {
    what: "spans",
    metric: "hookline_otel_spans_total",
    headers: "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
};
pub(super) static LOG_RECORDS: Signal = Signal {
    what: "log records",
    metric: "hookline_otel_log_records_total",
    headers: "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
};
/// Counted by exports, not by metrics: the next one repeats what a failed one held.
pub(super) static METRICS: Signal = Signal {
    what: "metrics",
    metric: "hookline_otel_metric_exports_total",
    headers: "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
};

impl Signal {
    pub(super) fn count(&self, result: &'static str, number: u64) {
        metrics::counter!(self.metric, "result" => result).increment(number);
    }
}

/// What exports of a signal came to.
#[derive(Debug)]
pub(super) struct Tally {
    signal: &'static Signal,
    complained_at: Option<Instant>,
    /// Whether the log's last word is that it fails.
    is_failing: bool,
}

impl Tally {
    pub(super) fn new(signal: &'static Signal) -> Self {
        Self {
            signal,
            complained_at: None,
            is_failing: false,
        }
    }

    /// An export of so many came to this: `Ok` with how many of them the collector refused.
    pub(super) fn enter(&mut self, number: u64, result: Result<u64, Failed>) {
        let what = self.signal.what;
        match result {
            Ok(refused) => {
                let refused = refused.min(number);
                self.signal.count("exported", number - refused);
                self.signal.count("failed", refused);
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!(what, "the collector takes them again");
                }
            }
            Err(error) => {
                self.signal.count("failed", number);
                if self.may_complain() {
                    tracing::warn!(
                        what,
                        %error,
                        "telemetry can't be exported; it is dropped until the collector takes it"
                    );
                }
            }
        }
    }

    /// Once for each time that it fails without a success between, and not again within [`QUIET`].
    fn may_complain(&mut self) -> bool {
        let is_quiet = self.complained_at.is_some_and(|at| at.elapsed() < QUIET);
        let may = !self.is_failing && !is_quiet;
        if may {
            self.complained_at = Some(Instant::now());
            self.is_failing = true;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_collector_that_comes_and_goes_is_complained_of_once_a_minute() {
        let mut book = Tally::new(&METRICS);
        assert!(book.may_complain());
        assert!(!book.may_complain(), "it was said");
        book.enter(1, Ok(0));
        assert!(!book.may_complain(), "and a moment ago");
        tokio::time::advance(QUIET).await;
        assert!(book.may_complain());
        tokio::time::advance(QUIET).await;
        assert!(!book.may_complain(), "it fails as before");
    }
}
