//! Traces, metrics and logs to a collector by OTLP (gRPC). Each signal has a task of its own and bounded memory: a
//! collector that is slow or gone costs telemetry, which is counted, and never a delivery. What a span, a metric or a
//! log line says is their crates' business.

mod collector;
pub(crate) mod logs;
mod metrics;
mod points;
mod queue;
mod signal;
mod spans;

pub use collector::InvalidCollector;

use collector::Collector;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long the end of the process may take for it.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// Exporting under way. End it with [`Exporting::finish`].
#[derive(Debug)]
pub struct Exporting {
    stop: CancellationToken,
    tasks: [JoinHandle<()>; 3],
}

/// Begins to export to the collector at `endpoint`, `http://host:4317` or https. Once in a process, inside its tokio
/// runtime; `version` is the program's.
///
/// # Errors
/// [`InvalidCollector`] when the endpoint can't be one. One that doesn't answer is no error.
pub fn start(endpoint: &str, version: &str) -> Result<Exporting, InvalidCollector> {
    let stop = CancellationToken::new();
    let collector = Collector::new(endpoint, version, stop.clone())?;
    let tasks = [
        spans::start(collector.clone(), stop.clone()),
        logs::start(collector.clone(), stop.clone()),
        metrics::start(collector, stop.clone()),
    ];
    Ok(Exporting { stop, tasks })
}

impl Exporting {
    /// Sends what has ended and what was logged so far, and the metrics as they are now, for at most 5 s.
    pub async fn finish(mut self) {
        self.stop.cancel();
        let all = async {
            for task in &mut self.tasks {
                // One that panicked has nothing more to send.
                let _ = task.await;
            }
        };
        if tokio::time::timeout(FINISH_WITHIN, all).await.is_err() {
            self.tasks.iter().for_each(JoinHandle::abort);
            tracing::warn!("the collector didn't take the last telemetry in time; it is dropped");
        }
    }
}
