//! `GET /webhooks/v1/deliveries/{id}`.

use super::shown::{AttemptShown, DeliveryDetail, DeliveryDetailAnswer, DeliveryShown};
use crate::{
    answer::Answer,
    auth::{ForTenant, Manager},
    error::ApiError,
    history::History,
    openapi::DeliveryInPath,
    path::Id,
    state::Api,
};
use axum::extract::State;
use history_store::Delivery;
use http::StatusCode;

/// Read a delivery
///
/// With the event's payload and every attempt: time, duration, status, error, and the beginning of the answer. Needs a key
/// with all the scopes that the endpoint was made with.
#[utoipa::path(
    get,
    path = "/webhooks/v1/deliveries/{id}",
    tag = "Deliveries",
    operation_id = "getDelivery",
    params(DeliveryInPath),
    responses((status = 200, description = "The delivery.", body = DeliveryDetailAnswer))
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Manager(caller): Manager,
    Id(id): Id,
    crate::query::Query(crate::query::None {}): crate::query::Query<crate::query::None>,
) -> Result<Answer, ApiError> {
    let history = api.history()?;
    let delivery = find(history, &caller, &id).await?;
    require_scopes(&api, &caller, &delivery)?;
    let event = history.store.event(&caller.tenant.id, &delivery.event_id).await?;
    let event_offset = event.map(|event| event.log_offset);
    let bodies = history
        .bodies(&caller.view, delivery.log_partition, event_offset, &delivery.attempts)
        .await?;
    let own = |attempt: &schemas::AttemptLogged| attempt.delivery_id == delivery.id;
    let shown = DeliveryDetail {
        delivery: DeliveryShown::new(&delivery),
        payload: bodies.event.map(|event| event.data),
        attempts: bodies.attempts.into_iter().filter(own).map(AttemptShown::new).collect(),
    };
    Ok(Answer::json(StatusCode::OK, &DeliveryDetailAnswer { delivery: shown }))
}

/// The tenant's delivery of this id.
///
/// # Errors
/// 404
pub(super) async fn find(history: &History, caller: &ForTenant, id: &str) -> Result<Delivery, ApiError> {
    let missing = || ApiError::not_found("delivery");
    // Whatever else is asked for is none, and needs no question.
    let is_sound = id.starts_with("dlv_") && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_sound {
        return Err(missing());
    }
    let found = history.store.delivery(&caller.tenant.id, id).await?;
    found.ok_or_else(missing)
}

/// 403 unless the caller has the scopes of the endpoint, also a deleted one, and of the event's type.
pub(super) fn require_scopes(api: &Api, caller: &ForTenant, delivery: &Delivery) -> Result<(), ApiError> {
    let endpoint = caller.view.endpoint(&delivery.endpoint_id);
    if let Some(endpoint) = endpoint.filter(|endpoint| endpoint.tenant == caller.tenant.id) {
        caller.require_scopes_of(endpoint)?;
    }
    require_scope_of_type(api, caller, &delivery.event_type)
}

/// 403 unless the caller may receive events of this type.
pub(crate) fn require_scope_of_type(api: &Api, caller: &ForTenant, event_type: &str) -> Result<(), ApiError> {
    let catalogs = api.catalogs(&caller.view);
    let info = catalogs.find(&caller.tenant.catalogs, event_type);
    match info.and_then(|info| info.required_scope.as_ref()) {
        Some(scope) => caller.scopes.require(&[scope]),
        None => Ok(()),
    }
}
