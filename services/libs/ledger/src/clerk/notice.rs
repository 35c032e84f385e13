//! The event that tells a tenant of an endpoint's automatic disabling. It is written to `ingest` in the transaction of the
//! change itself, so that there is exactly one.

use crate::View;
use delivery_core::murmur2;
use kafka_log::{Names, Outgoing, topics::INGEST_PARTITIONS};
use runtime::clock::rfc3339;
use schemas::Endpoint;
use serde_json::json;

const TYPE: &str = "webhook.endpoint.auto_disabled";
/// Whose events of this type are known: those of the catalog that has it.
const CATALOG: &str = "platform";

/// An event to publish, as Hookline JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    event_id: String,
    value: Vec<u8>,
}

impl Notice {
    /// The event that goes with this change, when it disables an endpoint that was enabled and its tenant knows the type.
    pub(super) fn of(view: &View, endpoint: &Endpoint, version: i64, now_ms: i64) -> Option<Self> {
        let old = view.endpoint(&endpoint.id)?;
        let disables = endpoint.status == "auto_disabled" && old.status != "auto_disabled";
        let tenant = view.tenant(&endpoint.tenant)?;
        if !disables || !tenant.catalogs.iter().any(|catalog| catalog == CATALOG) {
            return None;
        }
        let event_id = format!("evt_auto_disabled_{}_{version}", endpoint.id);
        let value = json!({
            "id": event_id,
            "type": TYPE,
            "tenant": endpoint.tenant,
            "occurred_at": rfc3339(now_ms),
            "data": {
                "endpointId": endpoint.id,
                "url": endpoint.url,
                "consecutiveFailures": endpoint.consecutive_failures.unwrap_or(1),
                "lastFailureAt": rfc3339(endpoint.last_failure_at_ms.unwrap_or(now_ms)),
            },
        });
        Some(Self {
            event_id,
            value: value.to_string().into_bytes(),
        })
    }

    pub(super) fn record(&self, names: &Names) -> Outgoing {
        let partition = murmur2::partition(self.event_id.as_bytes(), INGEST_PARTITIONS);
        Outgoing::new(names.ingest(), partition, self.event_id.as_bytes(), self.value.clone())
    }
}
