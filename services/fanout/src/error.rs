//! What ends the fan-out. Bad input never does: it becomes `rejected`.

use crate::InvalidOptions;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    #[error("fan-out: {0}")]
    Kafka(#[from] kafka_log::Error),
    #[error("fan-out: {0}")]
    Ledger(#[from] ledger::Error),
    #[error("fan-out: {0}; this is a defect of this build")]
    Encode(#[from] schemas::EncodeError),
    #[error("fan-out: the worker of {0} panicked; see the log above")]
    Panicked(String),
    /// The work was told to stop while it waited; nothing was committed for it.
    #[error("fan-out: stopped")]
    Stopped,
}

impl Error {
    /// True when starting the role again may help without anybody's doing.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Kafka(error) => error.may_pass() || error.is_fenced(),
            Error::Ledger(_) => true,
            Error::Options(_) | Error::Encode(_) | Error::Panicked(_) | Error::Stopped => false,
        }
    }
}
