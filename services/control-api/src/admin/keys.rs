//! `/admin/v1/tenants/{id}/keys`: a key is shown once, when it is made; only its hash is kept.

use super::{SCOPE, check, parameters::PageQuery, tenants::find};
use crate::{
    answer::Answer,
    auth::Operator,
    body::Json,
    error::{ApiError, Detail},
    once::{IdempotencyKey, Once, Tried},
    page::Page,
    path::Id,
    query::Query,
    state::Api,
};
use axum::extract::{FromRequestParts, Path, State};
use http::{StatusCode, request::Parts};
use ledger::{Entity, Kind, View, entities};
use runtime::clock::{now_ms, rfc3339};
use schemas::ApiKey;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

/// A new key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewKey {
    /// What it allows: scopes of event types, and `webhooks`, which managing endpoints needs.
    scopes: Vec<String>,
    /// When it ends, RFC 3339, in the future; null: never.
    #[serde(default)]
    expires_at: Option<String>,
}

/// A key, without the key itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyShown {
    /// `key_` and a ULID
    id: String,
    tenant: String,
    scopes: Vec<String>,
    expires_at: Option<String>,
    created_at: String,
}

/// The only answer that holds a key.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyMade {
    #[serde(flatten)]
    shown: KeyShown,
    /// `hk_…`, shown this once
    key: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeysAnswer {
    /// Newest first, expired ones included.
    keys: Vec<KeyShown>,
    /// Send it back as `cursor` for what is older; null on the last page.
    next_cursor: Option<String>,
}

/// `{id}` and `{key}` of a route.
#[derive(Debug)]
pub(crate) struct OfTenant {
    tenant: String,
    key: String,
}

impl<S: Send + Sync> FromRequestParts<S> for OfTenant {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<(String, String)>::from_request_parts(parts, state).await {
            Ok(Path((tenant, key))) => Ok(Self { tenant, key }),
            Err(_) => Err(ApiError::not_found("key")),
        }
    }
}

impl KeyShown {
    fn new(key: &ApiKey) -> Self {
        Self {
            id: key.id.clone(),
            tenant: key.tenant.clone(),
            scopes: key.scopes.clone(),
            expires_at: key.expires_at_ms.map(rfc3339),
            created_at: rfc3339(key.created_at_ms),
        }
    }
}

/// Make an API key
///
/// The key is answered this once; only its hash is kept.
#[utoipa::path(
    post,
    path = "/admin/v1/tenants/{id}/keys",
    tag = "Operator: tenants",
    operation_id = "createKey",
    params(crate::openapi::TenantInPath, crate::openapi::IdempotencyHeader),
    request_body = NewKey,
    responses((status = 201, description = "It is made.", body = KeyMade))
)]
pub(crate) async fn create(
    State(api): State<Api>,
    operator: Operator,
    Id(tenant): Id,
    idempotency_key: IdempotencyKey,
    body: Json<NewKey>,
) -> Result<Answer, ApiError> {
    let route = format!("POST /admin/v1/tenants/{tenant}/keys");
    let once = Once::new(idempotency_key, SCOPE, &route, body.sha256);
    let made = try_to_create(&api, &operator.view, &tenant, &once, body.value).await;
    api.as_first_answered(&once, made).await
}

async fn try_to_create(api: &Api, view: &View, tenant: &str, once: &Once, wanted: NewKey) -> Result<Answer, ApiError> {
    find(view, tenant)?;
    let now_ms = now_ms();
    let scopes = known(api, view, wanted.scopes)?;
    let expires_at_ms = wanted.expires_at.map(|text| later(&text, now_ms)).transpose()?;
    let (key, plain) = entities::new_api_key(tenant, scopes, expires_at_ms, now_ms);
    let shown = KeyMade {
        shown: KeyShown::new(&key),
        key: plain,
    };
    let answer = Answer::json(StatusCode::CREATED, &shown);
    let entity = Entity::from(key);
    check(&entity)?;
    match api.put(once, 0, entity, 0, answer).await? {
        Tried::Answered(answer) => Ok(answer),
        Tried::Conflict => Err(ApiError::conflict("a key of this id exists already")),
    }
}

/// List a tenant's API keys
#[utoipa::path(
    get,
    path = "/admin/v1/tenants/{id}/keys",
    tag = "Operator: tenants",
    operation_id = "listKeys",
    params(crate::openapi::TenantInPath, crate::openapi::Paging),
    responses((status = 200, description = "One page of them, newest first.", body = KeysAnswer))
)]
pub(crate) async fn list(
    operator: Operator,
    Id(tenant): Id,
    Query(query): Query<PageQuery>,
) -> Result<Answer, ApiError> {
    find(&operator.view, &tenant)?;
    let before = query.from();
    let keys = operator.view.keys_of(&tenant);
    let mut wanted: Vec<_> = keys
        .filter(|key| before.is_none_or(|before| key.id.as_str() < before))
        .collect();
    wanted.reverse();
    let page = Page::take(wanted.into_iter(), query.limit, |key| &key.id).map(|key| Ok(KeyShown::new(key)))?;
    let shown = KeysAnswer {
        keys: page.rows,
        next_cursor: page.next,
    };
    Ok(Answer::json(StatusCode::OK, &shown))
}

/// Revoke an API key
///
/// It ends at once, at every replica.
#[utoipa::path(
    delete,
    path = "/admin/v1/tenants/{id}/keys/{keyId}",
    tag = "Operator: tenants",
    operation_id = "revokeKey",
    params(crate::openapi::TenantInPath, ("keyId" = String, Path, description = "The key's id.", example = "key_01K9ZJ7Q2M4N6P8R1S3TABCDEF")),
    responses((status = 204, description = "It is revoked."))
)]
pub(crate) async fn revoke(State(api): State<Api>, operator: Operator, of: OfTenant) -> Result<Answer, ApiError> {
    let found = operator.view.key(&of.key).filter(|key| key.tenant == of.tenant);
    if found.is_none() {
        return Err(ApiError::not_found("key"));
    }
    api.writer.remove(Kind::Key, &of.key, None).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// Each once, in order. A scope that covers nothing would be a misspelt one.
fn known(api: &Api, view: &View, mut scopes: Vec<String>) -> Result<Vec<String>, ApiError> {
    let catalogs = api.catalogs(view);
    let (rejected, every) = endpoint_settings::rejected_scopes(&catalogs, &scopes);
    if !rejected.is_empty() {
        let wrong = scopes.iter().enumerate().filter(|(_, scope)| rejected.contains(scope));
        let details = wrong.map(|(index, _)| Detail {
            path: format!("scopes[{index}]"),
            message: format!("there is no such scope; use {}", every.join(", ")),
        });
        return Err(ApiError::invalid_all(details.collect()));
    }
    scopes.sort();
    scopes.dedup();
    Ok(scopes)
}

/// Unix milliseconds of a time that has not passed.
fn later(text: &str, now_ms: i64) -> Result<i64, ApiError> {
    let time = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| ApiError::invalid("expiresAt", "it must be an RFC 3339 time, such as 2027-01-01T00:00:00Z"))?;
    let at_ms = i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    if at_ms <= now_ms {
        return Err(ApiError::invalid("expiresAt", "it has passed already"));
    }
    Ok(at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_in_the_future_or_never() {
        assert_eq!(later("1970-01-01T00:00:02+00:00", 1000), Ok(2000));
        for text in ["1970-01-01T00:00:01Z", "tomorrow", "", "1970-01-02"] {
            assert!(later(text, 1000).is_err(), "{text}");
        }
    }
}
