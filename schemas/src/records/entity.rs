//! What the ledger keeps: the entities inside its envelope. Every field added later has a default.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tenant {
    /// `org_…`
    pub id: String,
    pub name: String,
    /// `platform`, `case_events`, `cases`.
    pub catalogs: Vec<String>,
    /// Overrides `delivery.header_prefix`, e.g. `case-webhook-`.
    pub header_prefix: Option<String>,
    pub quotas: Quotas,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quotas {
    /// Most endpoints that a tenant may have.
    pub endpoints: i64,
    pub events_per_second: Option<i64>,
    pub backlog_bytes: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// `key_…`
    pub id: String,
    pub tenant: String,
    /// SHA-256 of the key, hex.
    pub hash: String,
    pub scopes: Vec<String>,
    pub expires_at_ms: Option<i64>,
    pub created_at_ms: i64,
}

/// A tenant's URL with its filters, secrets and limits. A deleted one stays as a marker with `status` `deleted`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `wh_` + ULID
    pub id: String,
    pub tenant: String,
    pub url: String,
    pub description: Option<String>,
    pub event_type_filters: Vec<String>,
    pub resource_scopes: Option<ResourceScopes>,
    /// Scopes of the key that it was made with: what wildcards cover, and what a key needs to change it.
    pub required_scopes: Vec<String>,
    /// `active`, `paused`, `disabled`, `auto_disabled` or `deleted`.
    pub status: String,
    pub disabled_reason: Option<String>,
    pub disabled_at_ms: Option<i64>,
    /// When `auto_disabled`: failed attempts since the last success.
    pub consecutive_failures: Option<i64>,
    /// When `auto_disabled`: when the last of them ended, Unix milliseconds.
    pub last_failure_at_ms: Option<i64>,
    /// Name to encrypted value.
    pub headers: BTreeMap<String, serde_bytes::ByteBuf>,
    pub rate_limit: Option<Limit>,
    pub max_in_flight: Option<i32>,
    pub timeout_sec: Option<i32>,
    pub retry_schedule_sec: Option<Vec<i64>>,
    /// `none` or `endpoint`.
    pub ordering: String,
    /// `skip` or `block`.
    pub on_exhausted: String,
    /// As asked for: `auto`, `dedicated` or `shared`.
    pub placement: String,
    /// Number of its dedicated topic `endpoint.<id>.<n>`, from 1, set by the clerk; absent: in the lanes.
    pub dedicated_topic: Option<i64>,
    /// `standard`, `event_payload`, `cloudevents` or `raw`.
    pub envelope: String,
    /// `standard` or `retry_all`.
    pub dialect: String,
    pub disable_on_gone: bool,
    /// `v1`, `v1a` or `both`.
    pub signature_scheme: String,
    /// Encrypted.
    #[serde(with = "serde_bytes")]
    pub signing_secret: Vec<u8>,
    /// Encrypted.
    #[serde(with = "serde_bytes")]
    pub previous_signing_secret: Option<Vec<u8>>,
    pub previous_signing_secret_expires_at_ms: Option<i64>,
    /// Key pair of scheme `v1a`. Encrypted.
    #[serde(with = "serde_bytes")]
    pub signing_key: Option<Vec<u8>>,
    /// Signs as long as the previous secret does. Encrypted.
    #[serde(with = "serde_bytes")]
    pub previous_signing_key: Option<Vec<u8>>,
    /// `whpk_` and the public half of `signing_key`.
    pub public_key: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
    /// Secrets that were replaced before the previous one was, newest first, at most 7.
    #[serde(default)]
    pub former_secrets: Vec<FormerSecret>,
}

/// A secret that signs too until its own expiry. Encrypted under the field names of the previous one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerSecret {
    /// Encrypted.
    #[serde(with = "serde_bytes")]
    pub secret: Vec<u8>,
    /// Its key pair of scheme `v1a`; absent when there was none. Encrypted.
    #[serde(with = "serde_bytes")]
    pub key: Option<Vec<u8>>,
    /// Until when it signs, Unix milliseconds.
    pub expires_at_ms: i64,
}

/// With both lists, an event passes when it satisfies the list for the resource that it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceScopes {
    pub vault_ids: Vec<String>,
    pub matter_ids: Vec<String>,
}

/// Requests per second to one endpoint, and how many may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    pub per_second: f64,
    pub burst: i32,
}

/// A type that an operator added. Id in the ledger: the type's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventType {
    pub name: String,
    /// Absent: every tenant's.
    pub catalog: Option<String>,
    /// `stable` or `beta`.
    pub stability: String,
    pub required_scope: Option<String>,
    /// `vault` or `matter`.
    pub resource: Option<String>,
    pub description: String,
    /// JSON Schema, as text.
    pub payload_schema: String,
    pub updated_at_ms: i64,
}

/// Long work that survives whoever runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// `job_…`
    pub id: String,
    pub tenant: Option<String>,
    pub kind: String,
    /// `running`, `done`, `cancelled` or `failed`.
    pub status: String,
    pub total: i64,
    pub done: i64,
    /// The kind's own parameters and cursor, JSON.
    pub state: String,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

/// A writer's record schema. Id in the ledger: its fingerprint (CRC-64-AVRO, hex).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaEntry {
    pub fingerprint: String,
    /// Avro schema, JSON.
    pub schema: String,
}

/// This installation: written once, by the first clerk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// Random UUID: offset metadata of another incarnation is ignored.
    pub incarnation: String,
    /// Partitions of the lanes topic, fixed at first start.
    pub lanes: i32,
    pub created_at_ms: i64,
}
