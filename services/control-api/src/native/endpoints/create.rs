//! `POST /webhooks/v1/endpoints`.

use super::{
    shown::{EndpointShown, EndpointWithSecret},
    wanted::CreatedEndpoint,
};
use crate::{
    answer::Answer,
    auth::Manager,
    body::Json,
    endpoints::{Dialect, New},
    error::ApiError,
    once::{IdempotencyKey, Once},
    openapi::IdempotencyHeader,
    state::Api,
};
use axum::extract::State;
use http::StatusCode;
use runtime::clock::now_ms;

/// Make an endpoint
///
/// Its signing secret is answered now and when it is rotated, never again.
#[utoipa::path(
    post,
    path = "/webhooks/v1/endpoints",
    tag = "Endpoints",
    operation_id = "createEndpoint",
    params(IdempotencyHeader),
    request_body = CreatedEndpoint,
    responses((status = 201, description = "It is made.", body = EndpointWithSecret, headers(("etag" = String, description = "Its version, for `If-Match`"))))
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Manager(caller): Manager,
    key: IdempotencyKey,
    body: Json<CreatedEndpoint>,
) -> Result<Answer, ApiError> {
    let (settings, signing_secret) = body.value.read()?;
    let once = Once::new(
        key,
        &caller.repeats_within(),
        "POST /webhooks/v1/endpoints",
        body.sha256,
    );
    let new = New {
        settings,
        dialect: Dialect::Standard,
        signing_secret,
    };
    api.create_endpoint(&caller, &once, new, |endpoint, secret| {
        let shown = EndpointWithSecret {
            endpoint: EndpointShown::new(&api, endpoint, 1, now_ms())?,
            signing_secret: secret.to_owned(),
        };
        Ok(Answer::json(StatusCode::CREATED, &shown).at_version(1))
    })
    .await
}
