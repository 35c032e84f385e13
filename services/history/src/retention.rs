//! Takes out what is past its retention, now and then, beside the projection: rows of the database, and jobs of the ledger
//! that ended long ago.

use crate::Options;
use history_store::Store;
use ledger::{Kind, Ledger, Writer};
use runtime::clock::now_ms;
use std::convert::Infallible;
use tokio::time::{MissedTickBehavior, interval};

/// Round after round; ends only by being dropped.
pub(crate) async fn run(store: Store, ledger: Ledger, writer: Writer, options: Options) -> Infallible {
    let mut rounds = interval(options.prune_every);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let retention_ms = i64::try_from(options.retention.as_millis()).unwrap_or(i64::MAX);
    loop {
        rounds.tick().await;
        let before_ms = now_ms().saturating_sub(retention_ms);
        match store.prune(before_ms).await {
            Ok(0) => {}
            Ok(rows) => {
                metrics::counter!("hookline_history_pruned_total").increment(rows);
                tracing::info!(rows, "rows past their retention were taken out of the history");
            }
            // They only take room; the next round tries again.
            Err(error) => tracing::warn!(%error, "rows past their retention can't be taken out"),
        }
        forget_jobs(&ledger, &writer, before_ms).await;
    }
}

/// Jobs that ended before this time.
async fn forget_jobs(ledger: &Ledger, writer: &Writer, before_ms: i64) {
    let view = ledger.view();
    let old = view
        .jobs()
        .filter(|job| job.status != "running" && job.updated_at_ms < before_ms);
    for job in old {
        // Somebody else may have been faster; what is left is looked at in the next round.
        if let Err(error) = writer.remove(Kind::Job, &job.id, Some(job.version)).await {
            tracing::debug!(job = job.id, %error, "an old job stays for now");
        }
    }
}
