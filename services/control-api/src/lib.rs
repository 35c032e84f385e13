//! Role `api`. For now it holds the clerk, or stands ready to; the REST API comes with a later version.
//!
//! Deliberately not here: how changes are decided (`ledger`), and the admin listener (`runtime`).

use kafka_log::Connection;
use ledger::{Clerk, ClerkOptions, Ledger};
use runtime::{CancellationToken, readiness::Readiness};
use std::sync::atomic::Ordering;

/// Settings of the role.
#[derive(Debug, Clone)]
pub struct Options {
    pub clerk: ClerkOptions,
}

/// Why the role ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
}

impl Error {
    /// True when starting the same thing again may help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Ledger(error) => error.is_retryable(),
        }
    }
}

/// The role.
#[derive(Debug)]
pub struct Service;

impl Service {
    /// Runs until `shutdown`; then finishes the batch under way and leaves the group, so that another process is the
    /// clerk at once. Ready once the installation stands in the ledger, whichever process wrote it. `ledger` must have
    /// been started with secrets.
    ///
    /// # Errors
    /// What an operator must mend, such as a changed `kafka.lanes`.
    pub async fn run(
        connection: &Connection,
        options: Options,
        ledger: Ledger,
        readiness: &Readiness,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let ready = readiness.register("installation in the ledger");
        let installed = async {
            let _ = ledger.wait_until(|view| view.installation().is_some()).await?;
            ready.store(true, Ordering::Release);
            Ok(())
        };
        let clerk = Clerk::run(connection, &ledger, options.clerk, shutdown.clone());
        let mut clerk = std::pin::pin!(clerk);
        tokio::select! {
            ended = &mut clerk => return Ok(ended?),
            installed = installed => installed.or_else(|error: ledger::Error| {
                tracing::error!(%error, "this process never gets ready");
                Ok::<(), Error>(())
            })?,
        }
        clerk.await?;
        ready.store(false, Ordering::Release);
        Ok(())
    }
}
