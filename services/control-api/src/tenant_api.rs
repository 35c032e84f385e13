//! The tenant API, `/v2.3/webhooks/endpoints`: the same endpoints as the native API's, in snake_case, every answer in
//! `{"data": …}`.

mod shown;
mod wanted;

use crate::{
    answer::Answer,
    auth::Manager,
    body::Json,
    endpoints::{self, Dialect, New},
    error::ApiError,
    once::{IdempotencyKey, Once},
    openapi::{EndpointInPath, IdempotencyHeader, IfMatchHeader},
    path::Id,
    precondition::IfMatch,
    query::{self, Query},
    state::Api,
};
use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use http::StatusCode;
use ledger::entities;
use runtime::clock::now_ms;
use shown::{Data, Shown};
use wanted::{Changed, Created};

pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/endpoints", post(create).get(list))
        .route("/endpoints/{id}", get(read).patch(update).delete(delete))
}

/// List endpoints
///
/// All of them, newest first: the quota bounds it.
#[utoipa::path(
    get,
    path = "/v2.3/webhooks/endpoints",
    tag = "Tenant API",
    operation_id = "listWebhookEndpoints",
    responses((status = 200, description = "All of them.", body = Data<Vec<Shown>>))
)]
pub(crate) async fn list(
    Manager(caller): Manager,
    Query(query::None {}): Query<query::None>,
) -> Result<Answer, ApiError> {
    let all = endpoints::list(&caller.view, &caller.tenant, None);
    let data: Vec<_> = all.map(|endpoint| Shown::new(endpoint)).collect();
    Ok(Answer::json(StatusCode::OK, &Data { data }))
}

/// Make an endpoint
///
/// Its signing secret is answered now and never again.
#[utoipa::path(
    post,
    path = "/v2.3/webhooks/endpoints",
    tag = "Tenant API",
    operation_id = "createWebhookEndpoint",
    params(IdempotencyHeader),
    request_body = Created,
    responses((status = 201, description = "It is made.", body = Data<Shown>, headers(("etag" = String, description = "Its version, for `If-Match`"))))
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Manager(caller): Manager,
    key: IdempotencyKey,
    body: Json<Created>,
) -> Result<Answer, ApiError> {
    let once = Once::new(
        key,
        &caller.repeats_within(),
        "POST /v2.3/webhooks/endpoints",
        body.sha256,
    );
    let new = New {
        settings: body.value.settings(),
        dialect: Dialect::RetryAll,
        signing_secret: None,
    };
    api.create_endpoint(&caller, &once, new, |endpoint, secret| {
        let data = Shown::with_secret(endpoint, secret);
        Ok(Answer::json(StatusCode::CREATED, &Data { data }).at_version(1))
    })
    .await
    .map_err(wanted::rename)
}

/// Read an endpoint
#[utoipa::path(
    get,
    path = "/v2.3/webhooks/endpoints/{id}",
    tag = "Tenant API",
    operation_id = "getWebhookEndpoint",
    params(EndpointInPath),
    responses((status = 200, description = "The endpoint.", body = Data<Shown>, headers(("etag" = String, description = "Its version, for `If-Match`"))))
)]
pub(crate) async fn read(
    Manager(caller): Manager,
    Id(id): Id,
    Query(query::None {}): Query<query::None>,
) -> Result<Answer, ApiError> {
    let endpoint = endpoints::find(&caller.view, &caller.tenant, &id)?;
    let data = Shown::new(endpoint);
    Ok(Answer::json(StatusCode::OK, &Data { data }).at_version(endpoint.version))
}

/// Change an endpoint
///
/// What is left out stays.
#[utoipa::path(
    patch,
    path = "/v2.3/webhooks/endpoints/{id}",
    tag = "Tenant API",
    operation_id = "updateWebhookEndpoint",
    params(EndpointInPath, IfMatchHeader),
    request_body = Changed,
    responses((status = 200, description = "It is changed.", body = Data<Shown>, headers(("etag" = String, description = "Its version, for `If-Match`"))))
)]
pub(crate) async fn update(
    State(api): State<Api>,
    Manager(caller): Manager,
    Id(id): Id,
    if_match: IfMatch,
    body: Json<Changed>,
) -> Result<Answer, ApiError> {
    let settings = body.value.settings();
    api.change_endpoint(
        &caller,
        &id,
        &if_match,
        &Once::unkeyed(),
        |view, endpoint| {
            let mut changed = endpoint.clone();
            api.apply(view, &caller.tenant, &settings, &mut changed)?;
            Ok(changed)
        },
        |endpoint, version| {
            let data = Shown::new(endpoint);
            Ok(Answer::json(StatusCode::OK, &Data { data }).at_version(version))
        },
    )
    .await
    .map_err(wanted::rename)
}

/// Delete an endpoint
#[utoipa::path(
    delete,
    path = "/v2.3/webhooks/endpoints/{id}",
    tag = "Tenant API",
    operation_id = "deleteWebhookEndpoint",
    params(EndpointInPath, IfMatchHeader),
    responses((status = 204, description = "It is deleted."))
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Manager(caller): Manager,
    Id(id): Id,
    if_match: IfMatch,
) -> Result<Answer, ApiError> {
    api.change_endpoint(
        &caller,
        &id,
        &if_match,
        &Once::unkeyed(),
        |_, endpoint| Ok(entities::deleted_marker(endpoint, now_ms())),
        |_, _| Ok(Answer::empty(StatusCode::NO_CONTENT)),
    )
    .await
}
