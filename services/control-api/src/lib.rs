//! Role `api`. For now it holds the clerk, or stands ready to; the REST API comes with a later version.
//!
//! Ready means: the ledger's end was read just now, and a clerk has founded the installation, whichever process that is.
//! Deliberately not here: how changes are decided (`ledger`), and the admin listener (`runtime`).

use kafka_log::Connection;
use ledger::{Clerk, ClerkOptions, Ledger};
use runtime::{CancellationToken, readiness::Readiness};
use std::{
    convert::Infallible,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often it is looked whether this process is ready.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A look that takes longer means that Kafka is gone.
const LOOK_PATIENCE: Duration = Duration::from_secs(8);

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
    /// clerk at once. `ledger` must have been started with secrets.
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
        let kafka = readiness.register("kafka");
        let installed = readiness.register("installation in the ledger");
        let ended = tokio::select! {
            ended = Clerk::run(connection, &ledger, options.clerk, shutdown) => ended,
            never = watch(&ledger, &kafka, &installed) => match never {},
        };
        kafka.store(false, Ordering::Release);
        installed.store(false, Ordering::Release);
        Ok(ended?)
    }
}

/// Keeps both checks true to what is.
async fn watch(ledger: &Ledger, kafka: &AtomicBool, installed: &AtomicBool) -> Infallible {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let answer = timeout(LOOK_PATIENCE, ledger.barrier()).await;
        let answered = matches!(answer, Ok(Ok(_)));
        if kafka.swap(answered, Ordering::AcqRel) && !answered {
            let error = match answer {
                Ok(Err(error)) => error.to_string(),
                _ => format!("no answer within {LOOK_PATIENCE:?}"),
            };
            tracing::error!(error, "the ledger's end can't be read: not ready until it can");
        }
        installed.store(ledger.view().installation().is_some(), Ordering::Release);
    }
}
