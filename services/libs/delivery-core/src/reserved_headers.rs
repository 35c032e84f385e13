//! Headers of a delivery that an endpoint's own headers can't set: Hookline's, and those that belong to the connection or
//! to how a body is framed. Whoever takes an endpoint's headers refuses them; the dispatcher leaves them out.

/// What follows the prefix (`webhook-`) in the names of Hookline's headers.
const OURS: [&str; 6] = ["id", "event-id", "timestamp", "signature", "attempt", "replay"];

/// Hookline's, whatever the prefix, and the connection's.
const ALWAYS: [&str; 14] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Whether an endpoint's own headers can't have this name, in any case of its letters. `prefix` is that of the tenant's
/// deliveries.
#[must_use]
pub fn is_reserved(name: &str, prefix: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ALWAYS.contains(&name.as_str()) || name.strip_prefix(prefix).is_some_and(|rest| OURS.contains(&rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_under_the_prefix_and_the_connections_are_reserved() {
        for name in [
            "webhook-id",
            "Webhook-Signature",
            "webhook-event-id",
            "Content-Length",
            "host",
            "traceparent",
        ] {
            assert!(is_reserved(name, "webhook-"), "{name}");
        }
        for name in ["authorization", "x-own", "webhook-own", "case-webhook-id", "accept"] {
            assert!(!is_reserved(name, "webhook-"), "{name}");
        }
        assert!(is_reserved("case-webhook-id", "case-webhook-"));
    }
}
