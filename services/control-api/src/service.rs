//! The role's life: the listener, the clerk, and whether it is ready.

use crate::{
    Options, health,
    history::History,
    native::{events::ingest::Ingest, test_send::Tester},
    router::router,
    server,
    state::{Api, Parts},
};
use kafka_log::Connection;
use ledger::{Clerk, Ledger, Writer};
use runtime::{CancellationToken, readiness::Readiness};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpListener,
    time::{MissedTickBehavior, interval, timeout},
};

/// How often it is looked whether this process is ready.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A look that takes longer means that Kafka is gone.
const LOOK_PATIENCE: Duration = Duration::from_secs(8);
/// How often keys that don't ask any more are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// Why the role ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Listen(#[from] crate::ListenError),
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error(transparent)]
    Kafka(#[from] kafka_log::Error),
    #[error(transparent)]
    Egress(#[from] egress::OptionsError),
}

impl Error {
    /// True when starting the same thing again may help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Listen(_) | Error::Egress(_) => false,
            Error::Kafka(error) => error.is_retryable(),
            Error::Ledger(error) => error.is_retryable(),
        }
    }
}

/// The role, bound to its address.
#[derive(Debug)]
pub struct Service {
    listener: TcpListener,
    options: Options,
    kafka: Arc<AtomicBool>,
    installed: Arc<AtomicBool>,
}

impl Service {
    /// Binds the listener; nothing is answered yet, and from here on the process isn't ready until this role is.
    ///
    /// # Errors
    /// [`Error::Listen`]
    pub async fn bind(options: Options, readiness: &Readiness) -> Result<Self, Error> {
        let listener = server::bind(options.listen).await?;
        Ok(Self {
            listener,
            options,
            kafka: readiness.register("kafka"),
            installed: readiness.register("installation in the ledger"),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system doesn't say.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown`; then accepts nothing more, lets requests end, and leaves the clerks' group, so that
    /// another process is the clerk at once. `ledger` must have been started with secrets.
    ///
    /// # Errors
    /// What an operator must mend, such as a changed `kafka.lanes`.
    pub async fn run(
        self,
        connection: &Connection,
        ledger: Ledger,
        writer: Writer,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let parts = Parts {
            ingest: Ingest::new(connection)?,
            tester: Tester::new(egress::Client::new(self.options.egress.clone())?),
            history: self
                .options
                .history
                .clone()
                .map(|store| History::new(connection, store)),
        };
        let api = Api::new(&self.options, ledger.clone(), writer, parts);
        let lanes = self.options.clerk.topics.lanes;
        // The clerk goes last: requests that are under way may need it.
        let stop_clerk = CancellationToken::new();
        let clerk = Clerk::run(connection, &ledger, self.options.clerk.clone(), stop_clerk.clone());
        let serving = async {
            server::serve(self.listener, router(api.clone()), shutdown).await;
            stop_clerk.cancel();
            std::future::pending().await
        };
        let ended = tokio::select! {
            ended = clerk => ended,
            never = serving => never,
            never = watch(&ledger, &self.kafka, &self.installed) => match never {},
            never = forget_idle_keys(&api) => match never {},
            never = health::follow(connection, &ledger, lanes, &api.unhealthy) => match never {},
        };
        self.kafka.store(false, Ordering::Release);
        self.installed.store(false, Ordering::Release);
        Ok(ended?)
    }
}

async fn forget_idle_keys(api: &Api) -> Infallible {
    let mut every = interval(FORGET_EVERY);
    loop {
        every.tick().await;
        api.rates.forget_idle();
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
