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
    state::Api,
};
use axum::extract::State;
use http::StatusCode;
use runtime::clock::now_ms;

pub(crate) async fn create(
    State(api): State<Api>,
    Manager(caller): Manager,
    key: IdempotencyKey,
    body: Json<CreatedEndpoint>,
) -> Result<Answer, ApiError> {
    let (settings, signing_secret) = body.value.read()?;
    let once = Once::new(key, &caller.tenant.id, "POST /webhooks/v1/endpoints", body.sha256);
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
