//! An endpoint as the native API answers it: never with a secret.

use super::wanted::ResourceScopes;
use crate::{error::ApiError, state::Api};
use endpoint_settings::{REDACTED, is_redacted};
use history_store::Counters;
use runtime::clock::rfc3339;
use schemas::Endpoint;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// An endpoint. Times are RFC 3339, UTC, in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndpointShown {
    /// `wh_` and a ULID
    id: String,
    url: String,
    description: Option<String>,
    event_type_filters: Vec<String>,
    resource_scopes: Option<ResourceScopes>,
    /// `active`, `paused`, `disabled` or `auto_disabled`
    status: String,
    /// `failing` or `gone`; null when a person disabled it
    disabled_reason: Option<String>,
    /// Failed attempts since the last success, or since it was changed; 0 when it is well. A few seconds behind.
    consecutive_failure_count: i64,
    /// When the last of them ended; null when there is none.
    last_failure_at: Option<String>,
    /// null: none is in the history
    last_success_at: Option<String>,
    /// Whether an old secret signs too.
    has_previous_signing_secret: bool,
    /// When the last of them expires; null when there is none.
    previous_signing_secret_expires_at: Option<String>,
    created_at: String,
    updated_at: String,
    disabled_at: Option<String>,
    /// Values whose names say that they are secrets are `[redacted]`.
    headers: BTreeMap<String, String>,
    rate_limit: Option<RateLimitShown>,
    max_in_flight: i64,
    timeout_sec: i64,
    /// Seconds
    retry_schedule: Vec<i64>,
    ordering: String,
    on_exhausted: String,
    placement: String,
    envelope: String,
    dialect: String,
    disable_on_gone: bool,
    signature_scheme: String,
    /// `whpk_…`, what `v1a` signatures are verified with
    public_key: Option<String>,
    metadata: BTreeMap<String, String>,
    /// Of the key that it was made with: what a key needs to change it.
    required_scopes: Vec<String>,
    /// One more with each change; the `ETag` is this in double quotes.
    version: i64,
    stats: Stats,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RateLimitShown {
    per_second: f64,
    burst: i32,
}

/// Of the delivery history, a few seconds behind; zeros and null where there is none.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Stats {
    pending: i64,
    delivered: i64,
    failed: i64,
    /// Of the last attempts 95 of 100 took at most so many milliseconds.
    #[serde(rename = "p95Ms")]
    p95_ms: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndpointAnswer {
    pub endpoint: EndpointShown,
}

/// The only answers that hold a secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndpointWithSecret {
    pub endpoint: EndpointShown,
    /// `whsec_…`, shown this once
    pub signing_secret: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndpointsAnswer {
    pub endpoints: Vec<EndpointShown>,
    /// Send it back as `cursor` for what is older; null on the last page.
    pub next_cursor: Option<String>,
}

impl EndpointShown {
    pub(crate) fn new(api: &Api, endpoint: &Endpoint, version: i64, now_ms: i64) -> Result<Self, ApiError> {
        let old_expire_at_ms = ledger::old_secrets_expire_at_ms(endpoint, now_ms);
        let defaults = &api.delivery;
        let failures = api.unhealthy.of(endpoint);
        Ok(Self {
            id: endpoint.id.clone(),
            url: endpoint.url.clone(),
            description: endpoint.description.clone(),
            event_type_filters: endpoint.event_type_filters.clone(),
            resource_scopes: endpoint.resource_scopes.as_ref().map(|scopes| ResourceScopes {
                vault_ids: scopes.vault_ids.clone(),
                matter_ids: scopes.matter_ids.clone(),
            }),
            status: endpoint.status.clone(),
            disabled_reason: endpoint.disabled_reason.clone(),
            consecutive_failure_count: failures.count,
            last_failure_at: failures.last_at(),
            last_success_at: None,
            has_previous_signing_secret: old_expire_at_ms.is_some(),
            previous_signing_secret_expires_at: old_expire_at_ms.map(rfc3339),
            created_at: rfc3339(endpoint.created_at_ms),
            updated_at: rfc3339(endpoint.updated_at_ms),
            disabled_at: endpoint.disabled_at_ms.map(rfc3339),
            headers: headers(api, endpoint)?,
            rate_limit: endpoint.rate_limit.map(|limit| RateLimitShown {
                per_second: limit.per_second,
                burst: limit.burst,
            }),
            max_in_flight: endpoint.max_in_flight.map_or(defaults.max_in_flight, i64::from),
            timeout_sec: endpoint.timeout_sec.map_or(defaults.timeout_sec, i64::from),
            retry_schedule: endpoint
                .retry_schedule_sec
                .clone()
                .unwrap_or_else(|| defaults.retry_schedule_sec.clone()),
            ordering: endpoint.ordering.clone(),
            on_exhausted: endpoint.on_exhausted.clone(),
            placement: endpoint.placement.clone(),
            envelope: endpoint.envelope.clone(),
            dialect: endpoint.dialect.clone(),
            disable_on_gone: endpoint.disable_on_gone,
            signature_scheme: endpoint.signature_scheme.clone(),
            public_key: endpoint.public_key.clone(),
            metadata: endpoint.metadata.clone(),
            required_scopes: endpoint.required_scopes.clone(),
            version,
            stats: Stats::default(),
        })
    }

    /// With the figures of the history.
    #[must_use]
    pub(crate) fn with(mut self, counters: Option<&Counters>) -> Self {
        let Some(counters) = counters else { return self };
        self.stats = Stats {
            pending: counters.pending,
            delivered: counters.delivered,
            failed: counters.failed,
            p95_ms: counters.p95_ms,
        };
        self.last_success_at = counters.last_success_at_ms.map(rfc3339);
        // Both are of one form, so the later time is the larger text.
        self.last_failure_at = self.last_failure_at.max(counters.last_failure_at_ms.map(rfc3339));
        self
    }
}

fn headers(api: &Api, endpoint: &Endpoint) -> Result<BTreeMap<String, String>, ApiError> {
    if endpoint.headers.keys().all(|name| is_redacted(name)) {
        let redacted = |name: &String| (name.clone(), REDACTED.to_owned());
        return Ok(endpoint.headers.keys().map(redacted).collect());
    }
    let mut open = ledger::open_headers(endpoint, &api.keyring).map_err(|error| {
        tracing::error!(endpoint.id, %error, "an endpoint's headers don't open");
        ApiError::unavailable(
            "the endpoint's headers can't be decrypted by this process; ask its operator",
            60,
        )
    })?;
    for (name, value) in &mut open {
        if is_redacted(name) {
            REDACTED.clone_into(value);
        }
    }
    Ok(open)
}
