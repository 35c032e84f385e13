//! Why the dispatcher stops.

/// Errors that end the role.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Kafka(#[from] kafka_log::Error),
    #[error("delivery client: {0}")]
    Egress(String),
    #[error("the ledger has no installation record yet; start `hookline serve api` and try again")]
    NoInstallation,
    #[error("kafka.lanes is {configured} here but {installed} in this installation; set it back to {installed}")]
    WrongLanes { configured: i32, installed: i32 },
    #[error("the group membership ended by itself; see the log lines above")]
    MembershipEnded,
}

impl Error {
    /// True when starting the role again may help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Kafka(error) => error.may_pass() || error.is_fenced(),
            Error::NoInstallation | Error::MembershipEnded => true,
            Error::Egress(_) | Error::WrongLanes { .. } => false,
        }
    }
}
