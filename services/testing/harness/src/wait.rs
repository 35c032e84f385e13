//! Waiting for a condition that nothing announces: the one place that polls.

use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;

const POLL: Duration = Duration::from_millis(50);

/// Waits until `condition` says that nothing is missing. It returns what is still missing otherwise, which is the error
/// when `timeout` has passed.
pub async fn until<F>(what: &str, timeout: Duration, mut condition: F) -> anyhow::Result<()>
where
    F: AsyncFnMut() -> Result<(), String>,
{
    let deadline = Instant::now() + timeout;
    loop {
        match condition().await {
            Ok(()) => return Ok(()),
            Err(missing) if Instant::now() >= deadline => {
                bail!("{what}: not within {} s; {missing}", timeout.as_secs())
            }
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}
