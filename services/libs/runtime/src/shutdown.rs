//! The signal to stop. What a role finishes before it ends is its own business.

use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first SIGTERM or SIGINT. A second signal ends the process at once, with exit
/// status 1: whoever presses Ctrl-C twice doesn't want to wait for the drain. So does `patience` when it is over: with all
/// brokers away nothing can be finished, and what is not finished is done again by the next process.
///
/// # Errors
/// When the process can't listen for signals.
///
/// # Panics
/// Outside a tokio runtime.
pub fn on_signal(patience: Duration) -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let name = next(&mut terminate, &mut interrupt).await;
        tracing::info!(
            signal = name,
            "stopping: reading nothing more, finishing what is under way"
        );
        cancelled.cancel();
        match tokio::time::timeout(patience, next(&mut terminate, &mut interrupt)).await {
            Ok(name) => tracing::warn!(signal = name, "stopping at once: what was in flight will be repeated"),
            Err(_) => tracing::error!(
                patience_sec = patience.as_secs(),
                "what is under way can't be finished, so it is left: what was in flight will be repeated; are the brokers reachable?"
            ),
        }
        std::process::exit(1);
    });
    Ok(token)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{Signal as Number, kill};
    use nix::unistd::Pid;

    #[tokio::test]
    async fn the_first_sigterm_cancels() {
        let token = on_signal(Duration::from_secs(60)).expect("signals can be listened for");
        assert!(!token.is_cancelled());
        kill(Pid::this(), Number::SIGTERM).expect("a process may signal itself");
        token.cancelled().await;
    }
}
