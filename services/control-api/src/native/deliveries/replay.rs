//! `POST /webhooks/v1/deliveries/{id}/replay`: the same event again, signed with the current secret, as a new attempt.

use super::{
    read::{find, require_scopes},
    shown::{DeliveryAnswer, DeliveryShown},
};
use crate::{
    answer::Answer,
    auth::{ForTenant, Manager},
    body::OptionalJson,
    error::{ApiError, Code},
    history::{History, Wanted},
    once::{IdempotencyKey, Once},
    openapi::{DeliveryInPath, IdempotencyHeader},
    path::Id,
    state::Api,
};
use axum::extract::State;
use event_model::{Event, Refusal, admit};
use history_store::{Delivery, Status};
use http::StatusCode;
use replay::{Obstacle, receiver};
use schemas::Endpoint;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayDelivery {
    /// Sent instead of the event's `data`, this once; any JSON that the type's contract takes.
    #[serde(default)]
    #[schema(value_type = serde_json::Value, required = false)]
    payload: Option<Box<RawValue>>,
}

/// Replay a delivery
///
/// One that was delivered or failed is sent again: same event id, type and time, the endpoint's present secret and settings.
/// 409 while it is pending, or when the endpoint is disabled or deleted; 410 when the event is past its retention.
#[utoipa::path(
    post,
    path = "/webhooks/v1/deliveries/{id}/replay",
    tag = "Deliveries",
    operation_id = "replayDelivery",
    params(DeliveryInPath, IdempotencyHeader),
    request_body = Option<ReplayDelivery>,
    responses((status = 202, description = "It is on its way again.", body = DeliveryAnswer))
)]
pub(crate) async fn replay(
    State(api): State<Api>,
    Manager(caller): Manager,
    Id(id): Id,
    key: IdempotencyKey,
    body: OptionalJson<ReplayDelivery>,
) -> Result<Answer, ApiError> {
    let history = api.history()?;
    let turn = history.replayer.turn(&id).await;
    let route = format!("POST /webhooks/v1/deliveries/{id}/replay");
    let once = Once::new(key, &caller.repeats_within(), &route, body.sha256);
    if let Some(answer) = api.first_answer(&once).await? {
        return Ok(answer);
    }
    let delivery = find(history, &caller, &id).await?;
    require_scopes(&api, &caller, &delivery)?;
    history.replayer.caught_up(delivery.log_partition).await?;
    let delivery = find(history, &caller, &id).await?;
    let by = by(&caller, &once);
    let is_last = |replay: &history_store::Replay| replay.by == by;
    if once.is_keyed() && delivery.replay.as_ref().is_some_and(is_last) {
        // It was sent, and its answer not kept: whoever sent it died in between.
        return Ok(api.note(&once, accepted(&delivery)).await);
    }
    let endpoint = may_be_replayed(&caller, &delivery)?;
    let mut event = event_of(history, &caller, &delivery).await?;
    if let Some(payload) = body.value.payload {
        event.data = payload;
        check(&api, &caller, &event)?;
    }
    let wanted = Wanted {
        event: &event,
        endpoint: &endpoint,
        by: &by,
    };
    let replayed = history.replayer.replay(&turn, &delivery, &wanted).await?;
    Ok(api.note(&once, accepted(&replayed)).await)
}

fn accepted(delivery: &Delivery) -> Answer {
    let shown = DeliveryAnswer {
        delivery: DeliveryShown::new(delivery),
    };
    Answer::json(StatusCode::ACCEPTED, &shown)
}

/// Who asks. With an `Idempotency-Key` the request too, so that its repeat is told from another one.
fn by(caller: &ForTenant, once: &Once) -> String {
    if once.is_keyed() {
        format!("{} {}", caller.by, once.fingerprint())
    } else {
        caller.by.clone()
    }
}

fn may_be_replayed(caller: &ForTenant, delivery: &Delivery) -> Result<Arc<Endpoint>, ApiError> {
    if delivery.outcome.status == Status::Pending {
        return Err(ApiError::conflict(
            "it is pending: it is still being delivered, or replayed already",
        ));
    }
    let id = &delivery.endpoint_id;
    receiver(&caller.view, &caller.tenant.id, id).map_err(|obstacle| match obstacle {
        Obstacle::Unknown | Obstacle::Deleted => {
            ApiError::conflict(format!("endpoint {id} was deleted: nothing is sent to it any more"))
        }
        Obstacle::Off(_) => ApiError::conflict(format!("endpoint {id} {obstacle}")),
    })
}

async fn event_of(history: &History, caller: &ForTenant, delivery: &Delivery) -> Result<Event, ApiError> {
    let event = history.store.event(&caller.tenant.id, &delivery.event_id).await?;
    let offset = event.map(|event| event.log_offset);
    let bodies = history
        .bodies(&caller.view, delivery.log_partition, offset, &[])
        .await?;
    bodies.event.ok_or_else(|| {
        ApiError::new(
            Code::Gone,
            "the event's payload is past its retention (history.retention_days), so it can't be sent again",
        )
    })
}

/// What fan-out would reject is refused here.
fn check(api: &Api, caller: &ForTenant, event: &Event) -> Result<(), ApiError> {
    let most = api.delivery.max_payload_bytes;
    if event.data.get().len() > most {
        return Err(ApiError::invalid("payload", format!("it has more than {most} bytes")));
    }
    let catalogs = api.catalogs(&caller.view);
    match admit(event, &caller.tenant.catalogs, &catalogs) {
        // A type that the tenant has no more was its own when the event was matched.
        Ok(_) | Err(Refusal::UnknownType { .. }) => Ok(()),
        Err(refusal) => Err(ApiError::invalid("payload", refusal.to_string())),
    }
}
