//! An endpoint as the tenant API answers it. Times are RFC 3339 in whole seconds.

use runtime::clock::rfc3339;
use schemas::Endpoint;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Every answer's shape.
#[derive(Serialize, ToSchema)]
pub(crate) struct Data<T> {
    pub data: T,
}

/// An endpoint of the tenant API.
#[derive(Serialize, ToSchema)]
pub(crate) struct Shown {
    id: String,
    url: String,
    description: Option<String>,
    events: Vec<String>,
    /// `active` or `paused`
    status: &'static str,
    created_at: String,
    updated_at: String,
    /// When set.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    /// `whsec_…`, only when it is made
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Shown {
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        Self {
            id: endpoint.id.clone(),
            url: endpoint.url.clone(),
            description: endpoint.description.clone(),
            events: endpoint.event_type_filters.clone(),
            status: if endpoint.status == "active" {
                "active"
            } else {
                "paused"
            },
            created_at: whole_seconds(endpoint.created_at_ms),
            updated_at: whole_seconds(endpoint.updated_at_ms),
            metadata: endpoint.metadata.clone(),
            secret: None,
        }
    }

    pub(crate) fn with_secret(endpoint: &Endpoint, secret: &str) -> Self {
        Self {
            secret: Some(secret.to_owned()),
            ..Self::new(endpoint)
        }
    }
}

/// `2026-11-21T10:00:00Z`
fn whole_seconds(unix_ms: i64) -> String {
    let text = rfc3339(unix_ms);
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::entities;

    #[test]
    fn whatever_is_not_active_is_paused_and_times_have_no_fraction() {
        let mut endpoint = entities::new_endpoint("org_1", "https://example.com", vec!["*".into()], 1_763_719_200_999);
        endpoint.status = "auto_disabled".into();
        let shown = serde_json::to_value(Shown::new(&endpoint)).expect("JSON");
        assert_eq!(
            (&shown["status"], &shown["created_at"]),
            (&"paused".into(), &"2025-11-21T10:00:00Z".into())
        );
        assert!(shown.get("secret").is_none() && shown.get("metadata").is_none());
    }
}
