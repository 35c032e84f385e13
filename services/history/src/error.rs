//! Why the role stops.

/// Errors that end the role.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Kafka(#[from] kafka_log::Error),
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error(transparent)]
    Store(#[from] history_store::Error),
    #[error("the ledger has no installation record yet; start `hookline serve api` and try again")]
    NoInstallation,
    #[error("the group membership ended by itself; see the log lines above")]
    MembershipEnded,
}

impl Error {
    /// True when starting the role again may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Kafka(error) => error.may_pass() || error.is_fenced(),
            Self::Ledger(error) => error.is_retryable(),
            Self::Store(error) => error.is_retryable(),
            Self::NoInstallation | Self::MembershipEnded => true,
        }
    }
}
