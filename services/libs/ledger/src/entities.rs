//! New entities with the contract's defaults, and markers of deleted ones.

use rand::RngCore;
use schemas::{ApiKey, Endpoint, Quotas, Tenant};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Most endpoints of a tenant whose quota says nothing else.
pub const DEFAULT_ENDPOINT_QUOTA: i64 = 1000;

/// Prefix of an API key in clear.
const API_KEY_PREFIX: &str = "hk_";
const API_KEY_BYTES: usize = 32;

/// A tenant with a new id, `org_` + ULID.
#[must_use]
pub fn new_tenant(name: &str, catalogs: Vec<String>, now_ms: i64) -> Tenant {
    Tenant {
        id: new_id("org_"),
        name: name.to_owned(),
        catalogs,
        header_prefix: None,
        quotas: Quotas {
            endpoints: DEFAULT_ENDPOINT_QUOTA,
            events_per_second: None,
            backlog_bytes: None,
        },
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
    }
}

/// An API key with a new id, `key_` + ULID, and the key itself (`hk_…`), to be shown once: only its hash is kept.
#[must_use]
pub fn new_api_key(tenant: &str, scopes: Vec<String>, expires_at_ms: Option<i64>, now_ms: i64) -> (ApiKey, String) {
    let mut random = [0; API_KEY_BYTES];
    rand::rng().fill_bytes(&mut random);
    let plain = format!("{API_KEY_PREFIX}{}", hex::encode(random));
    let key = ApiKey {
        id: new_id("key_"),
        tenant: tenant.to_owned(),
        hash: hash_key(&plain),
        scopes,
        expires_at_ms,
        created_at_ms: now_ms,
    };
    (key, plain)
}

/// Whether a text could be an API key in clear, by its form alone.
#[must_use]
pub fn is_key_shaped(text: &str) -> bool {
    let digits = text.strip_prefix(API_KEY_PREFIX).unwrap_or_default();
    digits.len() == 2 * API_KEY_BYTES && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// SHA-256 of an API key in clear, lowercase hex: what [`crate::View::key_by_hash`] wants. The key is 32 random bytes, so a
/// slow hash would protect nothing.
#[must_use]
pub fn hash_key(plain: &str) -> String {
    hex::encode(Sha256::digest(plain.as_bytes()))
}

/// An active endpoint with a new id, `wh_` + ULID, and the contract's defaults (`standard` dialect and envelope). It still
/// needs a secret: [`crate::seal_signing_secret`].
#[must_use]
pub fn new_endpoint(tenant: &str, url: &str, event_type_filters: Vec<String>, now_ms: i64) -> Endpoint {
    Endpoint {
        event_type_filters,
        url: url.to_owned(),
        status: "active".into(),
        disable_on_gone: true,
        updated_at_ms: now_ms,
        ..blank(new_id("wh_"), tenant.to_owned(), now_ms)
    }
}

/// What stays of a deleted endpoint until its history expires: whose it was, and where its deliveries still wait.
#[must_use]
pub fn deleted_marker(endpoint: &Endpoint, now_ms: i64) -> Endpoint {
    Endpoint {
        status: "deleted".into(),
        placement: endpoint.placement.clone(),
        dedicated_topic: endpoint.dedicated_topic,
        required_scopes: endpoint.required_scopes.clone(),
        updated_at_ms: now_ms,
        ..blank(endpoint.id.clone(), endpoint.tenant.clone(), endpoint.created_at_ms)
    }
}

/// Whether it is only a deleted endpoint's marker.
#[must_use]
pub fn is_deleted(endpoint: &Endpoint) -> bool {
    endpoint.status == "deleted"
}

/// Takes out what a role that sends nothing has no business holding.
pub(crate) fn drop_secrets(endpoint: &mut Endpoint) {
    endpoint.signing_secret = Vec::new();
    endpoint.previous_signing_secret = None;
    endpoint.signing_key = None;
    endpoint.previous_signing_key = None;
    endpoint.former_secrets = Vec::new();
    endpoint.headers = BTreeMap::new();
}

fn blank(id: String, tenant: String, created_at_ms: i64) -> Endpoint {
    Endpoint {
        id,
        tenant,
        url: String::new(),
        description: None,
        event_type_filters: Vec::new(),
        resource_scopes: None,
        required_scopes: Vec::new(),
        status: String::new(),
        disabled_reason: None,
        disabled_at_ms: None,
        consecutive_failures: None,
        last_failure_at_ms: None,
        headers: BTreeMap::new(),
        rate_limit: None,
        max_in_flight: None,
        timeout_sec: None,
        retry_schedule_sec: None,
        ordering: "none".into(),
        on_exhausted: "skip".into(),
        placement: "auto".into(),
        dedicated_topic: None,
        envelope: "standard".into(),
        dialect: "standard".into(),
        disable_on_gone: false,
        signature_scheme: "v1".into(),
        signing_secret: Vec::new(),
        previous_signing_secret: None,
        previous_signing_secret_expires_at_ms: None,
        signing_key: None,
        previous_signing_key: None,
        public_key: None,
        metadata: BTreeMap::new(),
        created_at_ms,
        updated_at_ms: created_at_ms,
        former_secrets: Vec::new(),
    }
}

fn new_id(prefix: &str) -> String {
    format!("{prefix}{}", ulid::Ulid::new())
}
