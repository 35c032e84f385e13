//! Names of the headers of a delivery.

use http::HeaderName;

pub(crate) struct Names {
    pub(crate) id: HeaderName,
    pub(crate) event_id: HeaderName,
    pub(crate) timestamp: HeaderName,
    pub(crate) signature: HeaderName,
    pub(crate) attempt: HeaderName,
    pub(crate) replay: HeaderName,
}

impl Names {
    /// A prefix that makes no header name falls back to the standard one; the configuration refuses it earlier.
    pub(crate) fn new(prefix: &str) -> Self {
        let name = |suffix: &'static str, standard: &'static str| {
            HeaderName::from_bytes(format!("{prefix}{suffix}").as_bytes()).unwrap_or(HeaderName::from_static(standard))
        };
        Self {
            id: name("id", "webhook-id"),
            event_id: name("event-id", "webhook-event-id"),
            timestamp: name("timestamp", "webhook-timestamp"),
            signature: name("signature", "webhook-signature"),
            attempt: name("attempt", "webhook-attempt"),
            replay: name("replay", "webhook-replay"),
        }
    }
}
