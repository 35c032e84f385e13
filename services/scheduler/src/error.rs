//! Why the scheduler, or one of its workers, stops.

/// Errors of the scheduler.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Kafka(#[from] kafka_log::Error),
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error(transparent)]
    Encode(#[from] schemas::EncodeError),
    #[error("the group membership ended by itself; see the log lines above")]
    MembershipEnded,
    #[error("the ledger holds no installation yet; run `hookline serve api`, which founds it")]
    NoInstallation,
}

impl Error {
    /// True when starting the same thing again may help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Kafka(error) => error.may_pass() || error.is_fenced(),
            Error::MembershipEnded | Error::NoInstallation => true,
            Error::Ledger(_) | Error::Encode(_) => false,
        }
    }
}
