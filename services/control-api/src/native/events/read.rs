//! `GET /webhooks/v1/events/{id}`: what became of an event, for every endpoint of the tenant.

use crate::{
    answer::Answer,
    auth::{ForTenant, Manager},
    error::ApiError,
    native::deliveries::{read::require_scope_of_type, shown::DeliveryShown},
    openapi::EventInPath,
    path::Id,
    query::parse_time,
    state::Api,
};
use axum::extract::State;
use eligibility::Reason;
use event_model::Event;
use history_store::{Delivery, Filter, Rejection};
use http::StatusCode;
use runtime::clock::rfc3339;
use schemas::Endpoint;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::HashSet;
use utoipa::ToSchema;

/// An event has at most one delivery for each endpoint of its tenant, deleted ones included.
const MOST_DELIVERIES: usize = 10_000;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventShown {
    id: String,
    r#type: String,
    /// As its producer says, in UTC; null once the event is past its retention
    occurred_at: Option<String>,
    /// When it was matched with endpoints; null while it was rejected alone
    matched_at: Option<String>,
    /// Why it went to nobody; null when it was matched
    rejected: Option<RejectedShown>,
    /// Where it was read; null once it is past its retention
    source: Option<SourceShown>,
    /// null once it is past its retention
    #[schema(value_type = serde_json::Value)]
    data: Option<Box<RawValue>>,
}

/// Why an event that a producer wrote to Kafka went to nobody.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RejectedShown {
    /// `unknown_type` or `contract_broken`
    reason: String,
    /// What is wrong and where, in words.
    message: String,
    at: String,
}

/// A position in a Kafka topic.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SourceShown {
    topic: String,
    partition: i32,
    offset: i64,
}

/// An endpoint that the event did not go to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NotMatched {
    endpoint_id: String,
    /// `filters`, `scope`, `resource_scopes`, `created_later`, `disabled`, `about_itself`, `unknown_type`, or `matches_now`:
    /// as the endpoint is today the event is for it; it was otherwise when the event was matched
    reason: &'static str,
    /// The same in words, and what to do.
    message: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventAnswer {
    event: EventShown,
    /// Its deliveries, newest first.
    matched: Vec<DeliveryShown>,
    /// Every other endpoint of the tenant, and why it has none, by the configuration as it is today.
    not_matched: Vec<NotMatched>,
}

/// Read an event
///
/// The event, its deliveries, and why every other endpoint has none. Needs a key that may receive events of its type.
#[utoipa::path(
    get,
    path = "/webhooks/v1/events/{id}",
    tag = "Events",
    operation_id = "getEvent",
    params(EventInPath),
    responses((status = 200, description = "The event and what became of it.", body = EventAnswer))
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Manager(caller): Manager,
    Id(id): Id,
    crate::query::Query(crate::query::None {}): crate::query::Query<crate::query::None>,
) -> Result<Answer, ApiError> {
    let history = api.history()?;
    let missing = || ApiError::not_found("event");
    if id.contains('\0') {
        return Err(missing());
    }
    let Some(known) = history.store.event(&caller.tenant.id, &id).await? else {
        let rejection = history.store.rejection(&caller.tenant.id, &id).await?;
        let rejection = rejection.ok_or_else(missing)?;
        require_scope_of_type(&api, &caller, &rejection.event_type)?;
        return Ok(Answer::json(StatusCode::OK, &EventAnswer::rejected(rejection)));
    };
    require_scope_of_type(&api, &caller, &known.event_type)?;
    let filter = Filter {
        event_id: Some(id.clone()),
        ..Filter::default()
    };
    let deliveries = history
        .store
        .deliveries(&caller.tenant.id, &filter, MOST_DELIVERIES)
        .await?;
    let bodies = history
        .bodies(&caller.view, known.log_partition, Some(known.log_offset), &[])
        .await?;
    let event = bodies.event;
    let shown = EventAnswer {
        not_matched: not_matched(&api, &caller, event.as_ref(), &known.event_type, &deliveries),
        matched: deliveries.iter().map(DeliveryShown::new).collect(),
        event: EventShown {
            id: known.id,
            r#type: known.event_type,
            occurred_at: event.as_ref().map(|event| in_utc(&event.occurred_at)),
            matched_at: Some(rfc3339(known.matched_at_ms)),
            rejected: None,
            source: event.as_ref().map(|event| SourceShown {
                topic: event.source.topic.clone(),
                partition: event.source.partition,
                offset: event.source.offset,
            }),
            data: event.map(|event| event.data),
        },
    };
    Ok(Answer::json(StatusCode::OK, &shown))
}

/// The API's way of writing times; what is sent keeps the producer's.
fn in_utc(time: &str) -> String {
    parse_time(time).map_or_else(|_| time.to_owned(), rfc3339)
}

impl EventAnswer {
    /// Of an event that was never matched.
    fn rejected(rejection: Rejection) -> Self {
        Self {
            event: EventShown {
                id: rejection.event_id,
                r#type: rejection.event_type,
                occurred_at: None,
                matched_at: None,
                rejected: Some(RejectedShown {
                    reason: rejection.reason,
                    message: rejection.message,
                    at: rfc3339(rejection.at_ms),
                }),
                source: Some(SourceShown {
                    topic: rejection.topic,
                    partition: rejection.partition,
                    offset: rejection.offset,
                }),
                data: None,
            },
            matched: Vec::new(),
            not_matched: Vec::new(),
        }
    }
}

fn not_matched(
    api: &Api,
    caller: &ForTenant,
    event: Option<&Event>,
    event_type: &str,
    deliveries: &[Delivery],
) -> Vec<NotMatched> {
    // Without the event itself nothing can be said of it.
    let Some(event) = event else { return Vec::new() };
    let matched: HashSet<&str> = deliveries
        .iter()
        .map(|delivery| delivery.endpoint_id.as_str())
        .collect();
    let catalogs = api.catalogs(&caller.view);
    let info = catalogs.find(&caller.tenant.catalogs, event_type);
    caller
        .view
        .newest_endpoints_of(&caller.tenant.id, None)
        .filter(|endpoint| !matched.contains(endpoint.id.as_str()))
        .map(|endpoint| {
            let checked = eligibility::check(
                endpoint,
                event,
                info.map(AsRef::as_ref),
                Some(api.delivery.clock_tolerance_ms),
            );
            let (reason, message) = match checked {
                Err(reason) => (reason.as_str(), in_words(reason, endpoint, event)),
                Ok(()) => (
                    "matches_now",
                    "as the endpoint is today the event is for it; it was otherwise when the event was matched. Send \
                     what it missed with `POST …/endpoints/{id}/replay` and `only: missing`"
                        .to_owned(),
                ),
            };
            NotMatched {
                endpoint_id: endpoint.id.clone(),
                reason,
                message,
            }
        })
        .collect()
}

fn in_words(reason: Reason, endpoint: &Endpoint, event: &Event) -> String {
    match reason {
        Reason::Disabled => "the endpoint is disabled: set its status to active".to_owned(),
        Reason::Deleted => "the endpoint was deleted".to_owned(),
        Reason::Filters => format!(
            "none of its filters ({}) names the type {}",
            endpoint.event_type_filters.join(", "),
            event.event_type
        ),
        Reason::Scope => format!(
            "it was made with a key that lacks the scope of {}: it has {}",
            event.event_type,
            endpoint.required_scopes.join(", ")
        ),
        Reason::Resource => "the event's vault or matter is not in its resourceScopes".to_owned(),
        Reason::CreatedLater => format!(
            "it was made at {}, after the event was published; send what it missed with `POST …/endpoints/{{id}}/replay` \
             and `only: missing`",
            rfc3339(endpoint.created_at_ms)
        ),
        Reason::AboutItself => {
            "the event says that this very endpoint was disabled: it is told to the others".to_owned()
        }
        Reason::UnknownType => "the type is in none of the tenant's catalogs any more".to_owned(),
    }
}
