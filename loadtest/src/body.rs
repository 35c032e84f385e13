//! The request body that both sides send: the standard envelope of one event, 500 bytes.

/// Bytes of every body.
pub(crate) const BYTES: usize = 500;
/// A type of the platform catalog whose payload takes any further properties.
pub(crate) const EVENT_TYPE: &str = "vault.ingest.completed";
const OCCURRED_AT: &str = "2026-01-01T00:00:00Z";

/// The event's data, padded so that the body of the event with this id has [`BYTES`].
fn data(event_id: &str) -> String {
    let open = r#"{"vaultId":"vault-1","objectId":"object-1","durationMs":12,"note":""#;
    let around = body_around(event_id, "").len();
    let padding = BYTES.saturating_sub(around + open.len() + 2);
    format!(r#"{open}{}"}}"#, "x".repeat(padding))
}

fn body_around(event_id: &str, data: &str) -> String {
    format!(r#"{{"id":"{event_id}","type":"{EVENT_TYPE}","occurred_at":"{OCCURRED_AT}","data":{data}}}"#)
}

/// The body as an endpoint gets it.
pub(crate) fn delivered(event_id: &str) -> String {
    body_around(event_id, &data(event_id))
}

/// The same event as a producer publishes it, Hookline JSON.
pub(crate) fn published(event_id: &str, tenant: &str) -> String {
    let data = data(event_id);
    format!(
        r#"{{"id":"{event_id}","type":"{EVENT_TYPE}","tenant":"{tenant}","occurred_at":"{OCCURRED_AT}","data":{data}}}"#
    )
}

#[cfg(test)]
mod tests {
    //! What the size rests on.
    use super::*;

    #[test]
    fn the_body_has_500_bytes_of_json() {
        for id in ["evt-1", "evt-one_endpoint-00-00000123"] {
            let body = delivered(id);
            assert_eq!(body.len(), BYTES);
            let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            let event: serde_json::Value = serde_json::from_str(&published(id, "org_1")).expect("JSON");
            assert_eq!(body["data"], event["data"]);
        }
    }
}
