//! `GET /webhooks/v1/deliveries`.

use super::shown::{DeliveriesAnswer, DeliveryShown};
use crate::{
    answer::Answer,
    auth::{ForTenant, Manager},
    error::ApiError,
    page::{Cursor, Limit},
    query::{Query, Time},
    state::Api,
};
use axum::extract::State;
use history_store::{After, Delivery, Filter, Status};
use http::StatusCode;
use serde::Deserialize;
use utoipa::{
    IntoParams,
    openapi::{Object, RefOr, Schema, Type},
};

/// Longest event id or type that is looked for.
const MAX_CHARS: usize = 256;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only those for this endpoint, also a deleted one.
    #[param(value_type = String, required = false)]
    endpoint_id: Option<Text>,
    /// Only those of this status.
    #[param(inline, schema_with = any_status, required = false)]
    status: Option<WantedStatus>,
    /// Only events of this type.
    #[param(value_type = String, required = false)]
    event_type: Option<Text>,
    /// Only those of this event.
    #[param(value_type = String, required = false)]
    event_id: Option<Text>,
    /// Made at this time or later, RFC 3339.
    #[param(value_type = String, format = DateTime, required = false)]
    from: Option<Time>,
    /// Made before this time, RFC 3339.
    #[param(value_type = String, format = DateTime, required = false)]
    to: Option<Time>,
    /// How many; 50 when left out.
    #[serde(default)]
    #[param(value_type = u8, minimum = 1, maximum = 200, required = false)]
    limit: Limit,
    /// `nextCursor` of the page before.
    #[param(value_type = String, required = false)]
    cursor: Option<Cursor>,
}

/// Something to compare with.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Text(String);

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // Postgres takes no NUL in a text.
        let is_sound = !text.is_empty() && text.chars().count() <= MAX_CHARS && !text.contains('\0');
        if is_sound {
            Ok(Self(text))
        } else {
            Err(format!("it must have 1 to {MAX_CHARS} characters, none of them NUL"))
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct WantedStatus(Status);

impl TryFrom<String> for WantedStatus {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let found = Status::ALL.into_iter().find(|status| status.as_str() == text);
        found.map(Self).ok_or("status is one of pending, delivered, failed")
    }
}

fn any_status() -> impl Into<RefOr<Schema>> {
    Object::builder()
        .schema_type(Type::String)
        .enum_values(Some(["pending", "delivered", "failed"]))
}

/// List deliveries
///
/// Newest first: what became of each event for each endpoint.
#[utoipa::path(
    get,
    path = "/webhooks/v1/deliveries",
    tag = "Deliveries",
    operation_id = "listDeliveries",
    params(ListQuery),
    responses((status = 200, description = "One page of them.", body = DeliveriesAnswer))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Manager(caller): Manager,
    Query(query): Query<ListQuery>,
) -> Result<Answer, ApiError> {
    let history = api.history()?;
    let limit = query.limit.0;
    let filter = filter(&caller, query)?;
    let mut rows = history.store.deliveries(&caller.tenant.id, &filter, limit + 1).await?;
    let is_more = rows.len() > limit;
    rows.truncate(limit);
    let shown = DeliveriesAnswer {
        next_cursor: rows.last().filter(|_| is_more).map(cursor_after),
        deliveries: rows.iter().map(DeliveryShown::new).collect(),
    };
    Ok(Answer::json(StatusCode::OK, &shown))
}

fn filter(caller: &ForTenant, query: ListQuery) -> Result<Filter, ApiError> {
    if let Some(Text(id)) = &query.endpoint_id {
        let endpoint = caller.view.endpoint(id);
        if endpoint.is_none_or(|endpoint| endpoint.tenant != caller.tenant.id) {
            return Err(ApiError::not_found("endpoint"));
        }
    }
    Ok(Filter {
        endpoint_id: query.endpoint_id.map(|Text(id)| id),
        status: query.status.map(|WantedStatus(status)| status),
        event_type: query.event_type.map(|Text(event_type)| event_type),
        event_id: query.event_id.map(|Text(id)| id),
        from_ms: query.from.map(|Time(ms)| ms),
        to_ms: query.to.map(|Time(ms)| ms),
        after: query.cursor.map(|cursor| after(&cursor)).transpose()?,
    })
}

/// Names the last row that was shown: its time, then its id.
fn cursor_after(last: &Delivery) -> String {
    Cursor(format!("{}/{}", last.created_at_ms, last.id)).encode()
}

fn after(Cursor(text): &Cursor) -> Result<After, ApiError> {
    let parts = text.split_once('/').and_then(|(at, id)| Some((at.parse().ok()?, id)));
    match parts {
        Some((created_at_ms, id)) if id.starts_with("dlv_") && !id.contains('\0') => Ok(After {
            created_at_ms,
            delivery_id: id.to_owned(),
        }),
        _ => Err(ApiError::invalid(
            "cursor",
            "this is no cursor of this list; send back `nextCursor` as it was answered, or leave it out",
        )),
    }
}
