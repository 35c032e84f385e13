//! What can go wrong with dead letters.

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Kafka(#[from] kafka_log::Error),
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error(transparent)]
    Encode(#[from] schemas::EncodeError),
    #[error(
        "another replay or purge took partition {partition} of the dead letters over; wait for it, then run this again"
    )]
    TakenOver { partition: i32 },
    #[error(
        "nothing more of partition {partition} of the dead letters arrived; check the brokers, then run this again"
    )]
    Stalled { partition: i32 },
}

impl Error {
    /// True when the same call may succeed later. It never repeats what was done before.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Kafka(error) => error.is_retryable(),
            Error::TakenOver { .. } | Error::Stalled { .. } => true,
            Error::Ledger(_) | Error::Encode(_) => false,
        }
    }
}
