//! Changes of configuration during a run, so that the clerk has something to die over: descriptions, and a shared
//! endpoint that is paused for a while.

use std::time::Duration;

use harness::Direct;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Brokers may all be away, and take a while to come back on a busy machine.
const CLERK_PATIENCE: Duration = Duration::from_secs(180);
const EVERY: Duration = Duration::from_millis(250);

/// Goes on until `stop`; how many changes were made. While there is no clerk they fail, which is as it should be.
pub(crate) async fn describe(direct: Direct, endpoints: Vec<String>, stop: CancellationToken) -> usize {
    let mut turns = interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut made = 0;
    for (number, endpoint) in endpoints.iter().cycle().enumerate() {
        let change = async {
            turns.tick().await;
            let words = format!("change {number}");
            let change = direct.change(endpoint, |endpoint| endpoint.description = Some(words.clone()));
            change.await.is_ok()
        };
        match stop.run_until_cancelled(change).await {
            Some(is_made) => made += usize::from(is_made),
            None => break,
        }
    }
    made
}

/// Sets an endpoint's status, again until there is a clerk.
pub(crate) async fn set_status(direct: &Direct, endpoint: &str, status: &str) -> anyhow::Result<()> {
    harness::until(&format!("{endpoint} {status}"), CLERK_PATIENCE, async || {
        let change = direct.change(endpoint, |endpoint| endpoint.status = status.to_owned());
        change.await.map_err(|error| format!("{error:#}"))
    })
    .await
}
