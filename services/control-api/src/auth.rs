//! Who asks: a tenant's key or the operator, and for which tenant. Every caller is judged by a view that includes
//! everything committed when the request came, so a revoked key ends at once, on every replica.

use crate::{error::ApiError, notes::Notes, state::Api};
use axum::extract::FromRequestParts;
use http::{HeaderMap, header, request::Parts};
use ledger::{View, entities};
use schemas::{Endpoint, Tenant};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// With the operator's key: the tenant that is acted for.
pub(crate) const TENANT_HEADER: &str = "hookline-tenant";
/// What managing endpoints needs.
pub(crate) const MANAGING_SCOPE: &str = "webhooks";
const OPERATOR_ID: &str = "operator";

/// The operator's key, as its hash.
pub(crate) struct OperatorKey([u8; 32]);

impl OperatorKey {
    pub(crate) fn new(plain: &str) -> Self {
        Self(Sha256::digest(plain.as_bytes()).into())
    }

    /// In constant time.
    fn is(&self, plain: &str) -> bool {
        let other: [u8; 32] = Sha256::digest(plain.as_bytes()).into();
        let differing = self
            .0
            .iter()
            .zip(other)
            .fold(0, |all, (ours, theirs)| all | (ours ^ theirs));
        differing == 0
    }
}

/// What a caller may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scopes {
    /// The operator: all of them.
    All,
    Of(Vec<String>),
}

/// An authenticated caller. The view is fresh.
pub(crate) struct Caller {
    pub view: Arc<View>,
    by: String,
    scopes: Scopes,
    /// None: the operator, who acts for nobody.
    tenant: Option<Arc<Tenant>>,
}

/// The operator, for what is the operator's alone.
pub(crate) struct Operator {
    pub view: Arc<View>,
}

/// A caller for one tenant, with whatever scopes.
pub(crate) struct ForTenant {
    pub view: Arc<View>,
    pub tenant: Arc<Tenant>,
    pub scopes: Scopes,
    /// The key's id, or `operator`.
    pub by: String,
}

/// As [`ForTenant`], with what managing endpoints needs.
pub(crate) struct Manager(pub ForTenant);

impl FromRequestParts<Api> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let token = bearer(&parts.headers)?;
        let notes = Notes::of(parts);
        if api.operator.is(token) {
            let view = count_and_refresh(api, &notes, OPERATOR_ID).await?;
            return act_for(&parts.headers, &notes, view);
        }
        let hash = key_hash(token)?;
        let now_ms = runtime::clock::now_ms();
        if valid_key(&api.ledger.view(), &hash, now_ms).is_none() {
            // It may be newer than this process's view.
            if !api.rates.may_ask_for_unknown() || valid_key(&*api.fresh().await?, &hash, now_ms).is_none() {
                return Err(ApiError::unauthenticated());
            }
        }
        let view = api.ledger.view();
        let key_id = valid_key(&view, &hash, now_ms)
            .ok_or_else(ApiError::unauthenticated)?
            .id
            .clone();
        let view = count_and_refresh(api, &notes, &key_id).await?;
        let key = valid_key(&view, &hash, now_ms).ok_or_else(ApiError::unauthenticated)?;
        let tenant = view
            .tenant(&key.tenant)
            .ok_or_else(ApiError::unauthenticated)?
            .entity
            .clone();
        notes.note_tenant(&tenant.id);
        if wanted_tenant(&parts.headers)?.is_some_and(|wanted| wanted != tenant.id) {
            return Err(ApiError::forbidden(
                "this key acts for its own tenant alone; leave the header Hookline-Tenant out",
            ));
        }
        let scopes = Scopes::Of(key.scopes.clone());
        Ok(Self {
            by: key_id,
            scopes,
            tenant: Some(tenant),
            view,
        })
    }
}

async fn count_and_refresh(api: &Api, notes: &Notes, key_id: &str) -> Result<Arc<View>, ApiError> {
    let (left, taken) = api.rates.take(key_id);
    notes.note_left(left);
    taken?;
    api.fresh().await
}

fn act_for(headers: &HeaderMap, notes: &Notes, view: Arc<View>) -> Result<Caller, ApiError> {
    let tenant = match wanted_tenant(headers)? {
        None => None,
        Some(id) => Some(
            view.tenant(id)
                .ok_or_else(|| ApiError::not_found("tenant"))?
                .entity
                .clone(),
        ),
    };
    if let Some(tenant) = &tenant {
        notes.note_tenant(&tenant.id);
    }
    Ok(Caller {
        by: OPERATOR_ID.to_owned(),
        scopes: Scopes::All,
        tenant,
        view,
    })
}

impl FromRequestParts<Api> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, api).await?;
        match caller.scopes {
            Scopes::All => Ok(Self { view: caller.view }),
            Scopes::Of(_) => Err(ApiError::forbidden("this needs the operator's key")),
        }
    }
}

impl FromRequestParts<Api> for ForTenant {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, api).await?;
        let tenant = caller.tenant.ok_or_else(|| {
            ApiError::invalid(
                TENANT_HEADER,
                "with the operator's key, say for which tenant: `Hookline-Tenant: org_…`",
            )
        })?;
        Ok(Self {
            view: caller.view,
            tenant,
            scopes: caller.scopes,
            by: caller.by,
        })
    }
}

impl FromRequestParts<Api> for Manager {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let caller = ForTenant::from_request_parts(parts, api).await?;
        caller.scopes.require(&[MANAGING_SCOPE])?;
        Ok(Self(caller))
    }
}

impl Scopes {
    /// 403 unless all of these are there.
    pub(crate) fn require<S: AsRef<str>>(&self, needed: &[S]) -> Result<(), ApiError> {
        let Self::Of(scopes) = self else { return Ok(()) };
        let missing = needed
            .iter()
            .map(AsRef::as_ref)
            .filter(|scope| !scopes.iter().any(|held| held == scope));
        let missing: Vec<_> = missing.collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(ApiError::forbidden(format!(
            "this needs a key with the scopes {}",
            missing.join(", ")
        )))
    }
}

impl ForTenant {
    /// What an `Idempotency-Key` counts within: the tenant's keys of the same scopes. Another key of the tenant must not be
    /// answered the secret of an endpoint that it may not touch.
    pub(crate) fn repeats_within(&self) -> String {
        let mut scopes = match &self.scopes {
            Scopes::All => return format!("{} *", self.tenant.id),
            Scopes::Of(scopes) => scopes.clone(),
        };
        scopes.sort();
        scopes.dedup();
        format!("{} {}", self.tenant.id, scopes.join(" "))
    }

    /// 403 unless the caller has all the scopes that the endpoint was made with.
    pub(crate) fn require_scopes_of(&self, endpoint: &Endpoint) -> Result<(), ApiError> {
        self.scopes.require(&endpoint.required_scopes)
    }
}

/// The one key of the one header.
fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(ApiError::unauthenticated());
    };
    let text = value.to_str().map_err(|_| ApiError::unauthenticated())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(ApiError::unauthenticated)?;
    let token = token.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        Ok(token)
    } else {
        Err(ApiError::unauthenticated())
    }
}

/// What can't be a key is refused without asking anybody.
fn key_hash(token: &str) -> Result<String, ApiError> {
    if entities::is_key_shaped(token) {
        Ok(entities::hash_key(token))
    } else {
        Err(ApiError::unauthenticated())
    }
}

fn valid_key<'v>(view: &'v View, hash: &str, now_ms: i64) -> Option<&'v schemas::ApiKey> {
    let key = view.key_by_hash(hash)?;
    key.expires_at_ms.is_none_or(|at| at > now_ms).then_some(key)
}

fn wanted_tenant(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(TENANT_HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value
        .to_str()
        .ok()
        .filter(|text| !text.is_empty() && values.next().is_none());
    text.map(Some)
        .ok_or_else(|| ApiError::invalid(TENANT_HEADER, "it must be one tenant's id"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(value: &'static [u8]) -> HeaderMap {
        let value = HeaderValue::from_bytes(value).expect("a header's value");
        HeaderMap::from_iter([(header::AUTHORIZATION, value)])
    }

    #[test]
    fn a_bearer_key_is_read_and_nothing_else() {
        assert_eq!(bearer(&headers(b"Bearer hk_1")).expect("a key"), "hk_1");
        assert_eq!(bearer(&headers(b"bearer  hk_1 ")).expect("a key"), "hk_1");
        for other in [
            b"Basic abc".as_slice(),
            b"Bearer",
            b"Bearer ",
            b"hk_1",
            b"",
            b"Bearer \xff",
        ] {
            assert!(bearer(&headers(other)).is_err(), "{other:?}");
        }
        let mut twice = headers(b"Bearer a");
        twice.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer b"));
        assert!(bearer(&twice).is_err() && bearer(&HeaderMap::new()).is_err());
    }

    #[test]
    fn the_operators_key_is_compared_whole() {
        let key = OperatorKey::new("operator-key");
        assert!(key.is("operator-key") && !key.is("operator-ke") && !key.is("") && !key.is("Operator-key"));
    }

    #[test]
    fn scopes_that_are_missing_are_named() {
        let scopes = Scopes::Of(vec!["webhooks".into(), "vault".into()]);
        assert!(scopes.require(&["vault"]).is_ok());
        let refused = scopes
            .require(&["vault", "agent", "legal"])
            .expect_err("two are missing");
        assert!(refused.message.contains("agent, legal"), "{refused:?}");
        assert!(Scopes::All.require(&["agent"]).is_ok());
    }
}
