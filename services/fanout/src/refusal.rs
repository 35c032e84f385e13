//! What brokers refuse until somebody mends it: nothing is lost by trying again for ever, but it must be seen.

use kafka_log::Error;

/// Whether neither time nor another try mends it.
pub(crate) fn is_refusal(error: &Error) -> bool {
    !(error.is_retryable() || error.is_fenced() || matches!(error, Error::Stopped))
}

/// Counts and logs why nothing goes on.
pub(crate) fn raise(error: &Error, what: &str) {
    let (why, advice) = match error {
        Error::UnknownTopic(_) => ("missing_topic", "run `hookline topics apply`"),
        Error::Denied(_) => (
            "not_allowed",
            "let this user write to Hookline's topics and commit for its groups (all begin with kafka.prefix)",
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
    tracing::error!(%error, advice, "{what}; it is tried again until it succeeds");
}
