//! What can go wrong while following or changing the ledger.

/// Errors of following the ledger.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Kafka(#[from] kafka_log::Error),
    /// Nothing after this record is read: configuration is never guessed at.
    #[error(
        "the ledger can't be read past offset {offset}: {reason}; run the version that wrote it, or restore the ledger from an export"
    )]
    Blocked { offset: i64, reason: String },
    #[error(
        "this process's view of the ledger is at offset {position} and did not reach {end} in time; check the brokers' load"
    )]
    Behind { position: i64, end: i64 },
    #[error(
        "kafka.lanes is {configured}, but this installation was started with {installed}; set it back to {installed}: it is fixed at first start"
    )]
    LanesDiffer { configured: i32, installed: i32 },
    #[error("a record of the ledger can't be written: {0}")]
    Encode(String),
    #[error("the ledger's follower has stopped")]
    Stopped,
}

impl Error {
    /// True when the same call may succeed later without anybody's help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Kafka(error) => error.is_retryable() || error.is_fenced(),
            Error::Behind { .. } => true,
            Error::Blocked { .. } | Error::LanesDiffer { .. } | Error::Encode(_) | Error::Stopped => false,
        }
    }

    /// True when it may pass, for whoever has seen the ledger's topics before.
    pub fn may_pass(&self) -> bool {
        self.is_retryable() || matches!(self, Error::Kafka(error) if error.may_pass())
    }
}

/// Why a wanted change was not made, or why it isn't known whether it was.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// Somebody else changed it first. `actual` is the version that it has now; 0: it doesn't exist.
    #[error("it was changed by somebody else and is at version {actual} now; read it again and repeat the change")]
    Conflict { actual: i64 },
    /// `code`: `invalid`, `not_found`, `quota` or `exists`.
    #[error("{message}")]
    Refused { code: String, message: String },
    /// Nobody decided in time. The request stays in `ledger.requests` and may still be decided later; repeating it with
    /// the same request id is safe.
    #[error(
        "no clerk answered in time, so it isn't known yet whether the change will be made; start `hookline serve api` and repeat it"
    )]
    NoClerk,
    /// The change could not be asked for.
    #[error(transparent)]
    Kafka(#[from] kafka_log::Error),
    /// The change was made, but this process's own view doesn't include it yet.
    #[error("the change was made, but is not visible here yet: {0}")]
    Unseen(Error),
    #[error("the change can't be written: {0}")]
    Encode(String),
}

impl WriteError {
    /// True when repeating it, with the same request id, may succeed without anybody's help.
    pub fn is_retryable(&self) -> bool {
        match self {
            WriteError::NoClerk => true,
            WriteError::Kafka(error) => error.is_retryable(),
            WriteError::Unseen(error) => error.is_retryable(),
            WriteError::Conflict { .. } | WriteError::Refused { .. } | WriteError::Encode(_) => false,
        }
    }
}
