//! What brokers refuse until somebody mends it: nothing is lost by trying again for ever, but it must be seen.

use crate::Error;

impl Error {
    /// Whether neither time nor another try mends it.
    pub fn is_refusal(&self) -> bool {
        !(self.is_retryable() || self.is_fenced() || matches!(self, Error::Stopped))
    }

    /// Counts (`hookline_blocked_total`) and logs why nothing goes on, and what to do. `what` can't be done.
    pub fn raise(&self, what: &str) {
        let (why, advice) = match self {
            Error::UnknownTopic(_) => ("missing_topic", "run `hookline topics apply`"),
            Error::Denied(_) => (
                "not_allowed",
                "let this user write to Hookline's topics, commit for its groups and use its transactional ids (all \
                 begin with kafka.prefix)",
            ),
            Error::TooLarge { .. } => (
                "too_large",
                "see `hookline topics check`: Hookline's topics take records of 2 MiB (max.message.bytes)",
            ),
            _ => (
                "refused",
                "see what the brokers say; `hookline topics check` compares the topics' settings",
            ),
        };
        metrics::counter!("hookline_blocked_total", "why" => why).increment(1);
        tracing::error!(error = %self, advice, "{what}; it is tried again until it succeeds");
    }
}
