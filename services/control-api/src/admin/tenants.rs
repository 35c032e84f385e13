//! `/admin/v1/tenants`. Erasing a tenant with what it has comes with a later version: until then DELETE takes one that has
//! nothing any more.

pub(crate) mod shown;
pub(crate) mod wanted;

use super::{SCOPE, TRIES, changed_all_the_time, check, parameters::PageQuery};
use crate::{
    answer::Answer,
    auth::Operator,
    body::Json,
    error::ApiError,
    once::{IdempotencyKey, Once, Tried},
    page::Page,
    path::Id,
    precondition::IfMatch,
    query::Query,
    state::Api,
};
use axum::extract::State;
use http::StatusCode;
use ledger::{Entity, Kind, Versioned, View, WriteError};
use runtime::clock::now_ms;
use schemas::Tenant;
use shown::{TenantAnswer, TenantShown, TenantsAnswer};
use wanted::{ChangedTenant, NewTenant};

/// The tenant of this id.
pub(super) fn find<'v>(view: &'v View, id: &str) -> Result<&'v Versioned<Tenant>, ApiError> {
    view.tenant(id).ok_or_else(|| ApiError::not_found("tenant"))
}

fn answer(status: StatusCode, tenant: &Tenant, version: i64) -> Answer {
    let tenant = TenantShown::new(tenant, version);
    Answer::json(status, &TenantAnswer { tenant }).at_version(version)
}

/// Make a tenant
#[utoipa::path(
    post,
    path = "/admin/v1/tenants",
    tag = "Operator: tenants",
    operation_id = "createTenant",
    params(crate::openapi::IdempotencyHeader),
    request_body = NewTenant,
    responses((status = 201, description = "It is made.", body = TenantAnswer, headers(("etag" = String, description = "Its version, for `If-Match`"))))
)]
pub(crate) async fn create(
    State(api): State<Api>,
    _: Operator,
    key: IdempotencyKey,
    body: Json<NewTenant>,
) -> Result<Answer, ApiError> {
    let once = Once::new(key, SCOPE, "POST /admin/v1/tenants", body.sha256);
    let tenant = body.value.tenant(now_ms())?;
    let answer = answer(StatusCode::CREATED, &tenant, 1);
    let entity = Entity::from(tenant);
    check(&entity)?;
    match api.put(&once, 0, entity, 0, answer).await? {
        Tried::Answered(answer) => Ok(answer),
        Tried::Conflict => Err(ApiError::conflict("a tenant of this id exists already")),
    }
}

/// List tenants
#[utoipa::path(
    get,
    path = "/admin/v1/tenants",
    tag = "Operator: tenants",
    operation_id = "listTenants",
    params(crate::openapi::Paging),
    responses((status = 200, description = "One page of them, by id.", body = TenantsAnswer))
)]
pub(crate) async fn list(operator: Operator, Query(query): Query<PageQuery>) -> Result<Answer, ApiError> {
    let after = query.from();
    let wanted = operator
        .view
        .tenants()
        .filter(|tenant| after.is_none_or(|after| tenant.id.as_str() > after));
    let page = Page::take(wanted, query.limit, |tenant| &tenant.id)
        .map(|tenant| Ok(TenantShown::new(tenant, tenant.version)))?;
    let shown = TenantsAnswer {
        tenants: page.rows,
        next_cursor: page.next,
    };
    Ok(Answer::json(StatusCode::OK, &shown))
}

/// Read a tenant
#[utoipa::path(
    get,
    path = "/admin/v1/tenants/{id}",
    tag = "Operator: tenants",
    operation_id = "getTenant",
    params(crate::openapi::TenantInPath),
    responses((status = 200, description = "The tenant.", body = TenantAnswer, headers(("etag" = String, description = "Its version, for `If-Match`"))))
)]
pub(crate) async fn get(
    operator: Operator,
    Id(id): Id,
    Query(crate::query::None {}): Query<crate::query::None>,
) -> Result<Answer, ApiError> {
    let tenant = find(&operator.view, &id)?;
    Ok(answer(StatusCode::OK, tenant, tenant.version))
}

/// Change a tenant
///
/// What is left out stays.
#[utoipa::path(
    patch,
    path = "/admin/v1/tenants/{id}",
    tag = "Operator: tenants",
    operation_id = "updateTenant",
    params(crate::openapi::TenantInPath, crate::openapi::IfMatchHeader),
    request_body = ChangedTenant,
    responses((status = 200, description = "It is changed.", body = TenantAnswer, headers(("etag" = String, description = "Its version, for `If-Match`"))))
)]
pub(crate) async fn update(
    State(api): State<Api>,
    operator: Operator,
    Id(id): Id,
    if_match: IfMatch,
    body: Json<ChangedTenant>,
) -> Result<Answer, ApiError> {
    let mut view = operator.view;
    for nth in 0..TRIES {
        let found = find(&view, &id)?;
        if_match.check(found.version)?;
        let mut changed = Tenant::clone(found);
        body.value.apply(&mut changed)?;
        if changed == *found.entity {
            return Ok(answer(StatusCode::OK, found, found.version));
        }
        changed.updated_at_ms = now_ms();
        let answer = answer(StatusCode::OK, &changed, found.version + 1);
        let entity = Entity::from(changed);
        check(&entity)?;
        match api.put(&Once::unkeyed(), nth, entity, found.version, answer).await? {
            Tried::Answered(answer) => return Ok(answer),
            Tried::Conflict => view = api.fresh().await?,
        }
    }
    Err(changed_all_the_time())
}

/// Delete a tenant
///
/// One that has neither endpoints nor keys.
#[utoipa::path(
    delete,
    path = "/admin/v1/tenants/{id}",
    tag = "Operator: tenants",
    operation_id = "deleteTenant",
    params(crate::openapi::TenantInPath, crate::openapi::IfMatchHeader),
    responses((status = 204, description = "It is deleted."))
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    operator: Operator,
    Id(id): Id,
    if_match: IfMatch,
) -> Result<Answer, ApiError> {
    let found = find(&operator.view, &id)?;
    if_match.check(found.version)?;
    if operator.view.endpoints_of(&id).next().is_some() {
        return Err(ApiError::conflict(
            "the tenant has endpoints, or deliveries of deleted ones: erasing them with it comes with a later version; revoke \
             its keys and delete its endpoints to stop it",
        ));
    }
    if operator.view.keys_of(&id).next().is_some() {
        return Err(ApiError::conflict("the tenant still has keys; revoke them first"));
    }
    match api.writer.remove(Kind::Tenant, &id, Some(found.version)).await {
        Ok(()) => Ok(Answer::empty(StatusCode::NO_CONTENT)),
        // It got a key or an endpoint meanwhile.
        Err(WriteError::Refused { code, message }) if code == "invalid" => Err(ApiError::conflict(message)),
        Err(error) => Err(error.into()),
    }
}
