//! What brokers refuse until somebody mends it: nothing is lost by trying again for ever, but it must be seen.

/// Counts and logs why nothing goes on. False, and silent, when the error may pass by itself.
pub(crate) fn raise(error: &kafka_log::Error, what: &str) -> bool {
    use kafka_log::Error as E;
    let (why, advice) = match error {
        error if error.is_retryable() || error.is_fenced() => return false,
        E::Stopped => return false,
        E::UnknownTopic(_) => ("missing_topic", "run `hookline topics apply`"),
        E::Denied(_) => (
            "not_allowed",
            "let this user write to Hookline's topics, commit for its groups and use its transactional ids (all begin \
             with kafka.prefix)",
        ),
        E::TooLarge { .. } => (
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
    true
}
