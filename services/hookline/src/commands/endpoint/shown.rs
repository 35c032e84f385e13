//! An endpoint as it is shown: the API's names, and never a secret.

use crate::output::{self, Row};
use schemas::Endpoint;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    id: String,
    tenant: String,
    url: String,
    description: Option<String>,
    event_type_filters: Vec<String>,
    resource_scopes: Option<ShownScopes>,
    status: String,
    disabled_reason: Option<String>,
    disabled_at: Option<String>,
    /// When it was disabled automatically.
    consecutive_failure_count: Option<i64>,
    last_failure_at: Option<String>,
    /// Whether an old secret signs too.
    has_previous_signing_secret: bool,
    /// When the last of them expires.
    previous_signing_secret_expires_at: Option<String>,
    created_at: String,
    updated_at: String,
    /// Values are secrets: only the names can be seen.
    headers: BTreeMap<String, &'static str>,
    rate_limit: Option<ShownLimit>,
    max_in_flight: Option<i32>,
    timeout_sec: Option<i32>,
    retry_schedule: Option<Vec<i64>>,
    ordering: String,
    on_exhausted: String,
    placement: String,
    dedicated_topic: Option<i64>,
    envelope: String,
    dialect: String,
    disable_on_gone: bool,
    signature_scheme: String,
    /// What `v1a` signatures are verified with.
    public_key: Option<String>,
    metadata: BTreeMap<String, String>,
    required_scopes: Vec<String>,
    version: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownScopes {
    vault_ids: Vec<String>,
    matter_ids: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownLimit {
    per_second: f64,
    burst: i32,
}

impl Shown {
    pub fn new(endpoint: &Endpoint, version: i64) -> Self {
        let scopes = endpoint.resource_scopes.clone();
        let old_expire_at_ms = ledger::old_secrets_expire_at_ms(endpoint, runtime::clock::now_ms());
        Self {
            id: endpoint.id.clone(),
            tenant: endpoint.tenant.clone(),
            url: endpoint.url.clone(),
            description: endpoint.description.clone(),
            event_type_filters: endpoint.event_type_filters.clone(),
            resource_scopes: scopes.map(|scopes| ShownScopes {
                vault_ids: scopes.vault_ids,
                matter_ids: scopes.matter_ids,
            }),
            status: endpoint.status.clone(),
            disabled_reason: endpoint.disabled_reason.clone(),
            disabled_at: endpoint.disabled_at_ms.map(output::time),
            consecutive_failure_count: endpoint.consecutive_failures,
            last_failure_at: endpoint.last_failure_at_ms.map(output::time),
            has_previous_signing_secret: old_expire_at_ms.is_some(),
            previous_signing_secret_expires_at: old_expire_at_ms.map(output::time),
            created_at: output::time(endpoint.created_at_ms),
            updated_at: output::time(endpoint.updated_at_ms),
            headers: endpoint
                .headers
                .keys()
                .map(|name| (name.clone(), "[redacted]"))
                .collect(),
            rate_limit: endpoint.rate_limit.map(|limit| ShownLimit {
                per_second: limit.per_second,
                burst: limit.burst,
            }),
            max_in_flight: endpoint.max_in_flight,
            timeout_sec: endpoint.timeout_sec,
            retry_schedule: endpoint.retry_schedule_sec.clone(),
            ordering: endpoint.ordering.clone(),
            on_exhausted: endpoint.on_exhausted.clone(),
            placement: endpoint.placement.clone(),
            dedicated_topic: endpoint.dedicated_topic,
            envelope: endpoint.envelope.clone(),
            dialect: endpoint.dialect.clone(),
            disable_on_gone: endpoint.disable_on_gone,
            signature_scheme: endpoint.signature_scheme.clone(),
            public_key: endpoint.public_key.clone(),
            metadata: endpoint.metadata.clone(),
            required_scopes: endpoint.required_scopes.clone(),
            version,
        }
    }
}

/// One line a setting that has a value, for people.
pub fn text(endpoint: &impl Serialize) -> String {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(endpoint) else {
        return String::new();
    };
    let mut text = String::new();
    for (name, value) in &fields {
        let value = match value {
            serde_json::Value::Null => continue,
            serde_json::Value::String(value) => value.clone(),
            other => other.to_string(),
        };
        writeln!(text, "{name:32}{value}").expect("a String takes everything");
    }
    text
}

pub fn with_secret(id: &str, what: &str, secret: &str) -> String {
    format!("endpoint {id} {what}; its signing secret is shown this once:\n{secret}\n")
}

pub fn deleted(id: &str) -> String {
    format!("endpoint {id} was deleted")
}

impl Row for Shown {
    const HEADERS: &'static [&'static str] = &["ID", "TENANT", "STATUS", "PLACEMENT", "FILTERS", "URL"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.tenant.clone(),
            self.status.clone(),
            self.dedicated_topic
                .map_or_else(|| "shared".to_owned(), |_| "dedicated".to_owned()),
            self.event_type_filters.join(","),
            self.url.clone(),
        ]
    }
}
