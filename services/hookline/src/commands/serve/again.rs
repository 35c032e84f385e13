//! Starts a role again, in the same process, that ended for what passes without anybody's help.

use runtime::CancellationToken;
use std::future::Future;
use std::time::Duration;

const PAUSE: Duration = Duration::from_secs(1);

/// Runs a role until it ends in order, or by an error that `passes` says only people can mend.
pub async fn role<E, R>(
    name: &'static str,
    stop: CancellationToken,
    passes: fn(&E) -> bool,
    mut run: impl FnMut() -> R,
) -> anyhow::Result<()>
where
    E: std::error::Error + Send + Sync + 'static,
    R: Future<Output = Result<(), E>>,
{
    loop {
        match Box::pin(run()).await {
            Ok(()) => return Ok(()),
            Err(error) if passes(&error) && !stop.is_cancelled() => {
                tracing::warn!(role = name, %error, "the role has ended; starting it again");
            }
            Err(error) => return Err(error.into()),
        }
        if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Passing(bool);

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_tried_again_and_nothing_else() {
        let mut ends = vec![Ok(()), Err(Passing(true)), Err(Passing(true))];
        let stop = CancellationToken::new();
        let ended = role(
            "r",
            stop.clone(),
            |e: &Passing| e.0,
            || std::future::ready(ends.pop().unwrap_or(Ok(()))),
        );
        ended.await.expect("it ends in order");
        assert!(ends.is_empty());
        let failing = role(
            "r",
            stop.clone(),
            |e: &Passing| e.0,
            || std::future::ready(Err(Passing(false))),
        );
        assert!(failing.await.is_err());
        stop.cancel();
        let stopped = role("r", stop, |e: &Passing| e.0, || std::future::ready(Err(Passing(true))));
        assert!(stopped.await.is_err(), "nothing is tried again once it is to stop");
    }
}
