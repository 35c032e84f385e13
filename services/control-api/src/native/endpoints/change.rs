//! `PATCH` and `DELETE /webhooks/v1/endpoints/{id}`, and `POST …/rotate_secret`.

use super::{
    shown::{EndpointAnswer, EndpointShown, EndpointWithSecret},
    wanted::{BroughtSecret, ChangedEndpoint},
};
use crate::{
    answer::Answer,
    auth::Manager,
    body::{Json, OptionalJson, present},
    error::ApiError,
    once::{IdempotencyKey, Once},
    openapi::{EndpointInPath, IdempotencyHeader, IfMatchHeader},
    path::Id,
    precondition::IfMatch,
    state::Api,
};
use axum::extract::State;
use http::StatusCode;
use ledger::{RotateError, entities};
use runtime::clock::now_ms;
use schemas::Endpoint;
use serde::Deserialize;
use signing::SigningSecret;
use utoipa::ToSchema;

const DEFAULT_PREVIOUS_EXPIRES_SEC: i64 = 86_400;
const MAX_PREVIOUS_EXPIRES_SEC: i64 = 2_592_000;

/// Change an endpoint
///
/// What is left out stays.
#[utoipa::path(
    patch,
    path = "/webhooks/v1/endpoints/{id}",
    tag = "Endpoints",
    operation_id = "updateEndpoint",
    params(EndpointInPath, IfMatchHeader),
    request_body = ChangedEndpoint,
    responses((status = 200, description = "It is changed.", body = EndpointAnswer, headers(("etag" = String, description = "Its version, for `If-Match`"))))
)]
pub(crate) async fn update(
    State(api): State<Api>,
    Manager(caller): Manager,
    Id(id): Id,
    if_match: IfMatch,
    body: Json<ChangedEndpoint>,
) -> Result<Answer, ApiError> {
    let settings = body.value.settings();
    let figures = api.figures(&[id.as_str()]).await;
    api.change_endpoint(
        &caller,
        &id,
        &if_match,
        &Once::unkeyed(),
        |view, endpoint| {
            let mut changed = endpoint.clone();
            if settings
                .placement
                .as_ref()
                .is_some_and(|wanted| *wanted != endpoint.placement)
            {
                return Err(ApiError::invalid(
                    "placement",
                    "changing an endpoint's placement isn't supported yet; a later version brings it",
                ));
            }
            api.apply(view, &caller.tenant, &settings, &mut changed)?;
            Ok(changed)
        },
        |endpoint, version| {
            let shown = EndpointShown::new(&api, endpoint, version, now_ms())?.with(figures.get(&id));
            Ok(Answer::json(StatusCode::OK, &EndpointAnswer { endpoint: shown }).at_version(version))
        },
    )
    .await
}

/// Delete an endpoint
///
/// Nothing more is sent to it, and it leaves the lists.
#[utoipa::path(
    delete,
    path = "/webhooks/v1/endpoints/{id}",
    tag = "Endpoints",
    operation_id = "deleteEndpoint",
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

#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RotateSecret {
    /// How long the old secret goes on signing too, 0 to 2,592,000; 86,400 when left out; 0 ends it, and all that are older,
    /// at once.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = i64, minimum = 0, maximum = 2_592_000, required = false)]
    previous_secret_expires_in_sec: Option<i64>,
    /// One that receivers have already; a new one is made when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    signing_secret: Option<BroughtSecret>,
}

/// Rotate a signing secret
///
/// The new one is answered this once. Until the old one expires, deliveries are signed with both; another rotation before
/// that leaves it its time. 409 when 8 old ones are valid: wait until one has expired, or end them all.
#[utoipa::path(
    post,
    path = "/webhooks/v1/endpoints/{id}/rotate_secret",
    tag = "Endpoints",
    operation_id = "rotateSecret",
    params(EndpointInPath, IdempotencyHeader, IfMatchHeader),
    request_body = Option<RotateSecret>,
    responses((status = 200, description = "It is rotated.", body = EndpointWithSecret, headers(("etag" = String, description = "Its version, for `If-Match`"))))
)]
pub(crate) async fn rotate_secret(
    State(api): State<Api>,
    Manager(caller): Manager,
    Id(id): Id,
    key: IdempotencyKey,
    if_match: IfMatch,
    body: OptionalJson<RotateSecret>,
) -> Result<Answer, ApiError> {
    let wanted = body.value;
    let keep_sec = wanted
        .previous_secret_expires_in_sec
        .unwrap_or(DEFAULT_PREVIOUS_EXPIRES_SEC);
    if !(0..=MAX_PREVIOUS_EXPIRES_SEC).contains(&keep_sec) {
        let message = format!("it must be 0 to {MAX_PREVIOUS_EXPIRES_SEC} seconds");
        return Err(ApiError::invalid("previousSecretExpiresInSec", message));
    }
    let brought = wanted.signing_secret.as_ref().map(BroughtSecret::parse).transpose()?;
    let secret = brought.unwrap_or_else(SigningSecret::generate).expose();
    let route = format!("POST /webhooks/v1/endpoints/{id}/rotate_secret");
    let once = Once::new(key, &caller.repeats_within(), &route, body.sha256);
    let now_ms = now_ms();
    let figures = api.figures(&[id.as_str()]).await;
    let previous_expires_at_ms = (keep_sec > 0).then_some(now_ms + keep_sec * 1000);
    api.change_endpoint(
        &caller,
        &id,
        &if_match,
        &once,
        |_, endpoint| {
            let rotated = ledger::rotate_secret(endpoint, &api.keyring, &secret, previous_expires_at_ms, now_ms);
            rotated.map_err(|error| not_rotated(endpoint, error))
        },
        |endpoint, version| {
            let shown = EndpointWithSecret {
                endpoint: EndpointShown::new(&api, endpoint, version, now_ms)?.with(figures.get(&id)),
                signing_secret: secret.clone(),
            };
            Ok(Answer::json(StatusCode::OK, &shown).at_version(version))
        },
    )
    .await
}

fn not_rotated(endpoint: &Endpoint, error: RotateError) -> ApiError {
    match error {
        RotateError::TooManyOld { .. } => ApiError::conflict(format!("{error} (previousSecretExpiresInSec 0)")),
        RotateError::Keyring(error) => {
            tracing::error!(endpoint.id, %error, "an endpoint's secret doesn't open");
            ApiError::unavailable(
                "the old secret can't be decrypted by this process; ask its operator",
                60,
            )
        }
    }
}
