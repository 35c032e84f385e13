//! `POST /webhooks/v1/endpoints/{id}/replay`: what an endpoint has missed, or failed to take, as a job.

use crate::{
    answer::Answer,
    auth::{ForTenant, Manager},
    body::{OptionalJson, present},
    endpoints,
    error::ApiError,
    native::jobs::{JobAnswer, JobShown},
    once::{IdempotencyKey, Once, Tried},
    openapi::{EndpointInPath, IdempotencyHeader},
    path::Id,
    query::parse_time,
    state::Api,
};
use axum::extract::State;
use http::StatusCode;
use ledger::Entity;
use replay::{Only, RECOVERY, Recovery, receiver};
use runtime::clock::now_ms;
use schemas::Job;
use serde::Deserialize;
use utoipa::ToSchema;

const MAX_TYPES: usize = 100;
const MAX_TYPE_CHARS: usize = 128;
const MAX_RATE: u32 = 10_000;

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WantedOnly {
    /// Deliveries that failed.
    #[default]
    Failed,
    /// Events that match now, and of which the endpoint has no delivery.
    Missing,
    /// Deliveries that failed and deliveries that were delivered.
    All,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ReplayEndpoint {
    /// Made at this time or later, RFC 3339; from the beginning of the history when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, format = DateTime, required = false)]
    since: Option<String>,
    /// Made before this time, RFC 3339; now when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, format = DateTime, required = false)]
    until: Option<String>,
    /// Events of these types alone, 1 to 100; all when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false)]
    event_types: Option<Vec<String>>,
    /// Which: `failed` when left out.
    #[serde(default)]
    #[schema(value_type = WantedOnly, required = false)]
    only: WantedOnly,
    /// Only count: the job ends with the `total`, and sends nothing.
    #[serde(default)]
    dry_run: bool,
    /// Most deliveries a second, 1 to 10,000; as fast as it goes when left out. The endpoint's own limits hold besides.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = u32, minimum = 1, maximum = 10_000, required = false)]
    rate_per_second: Option<u32>,
}

/// Replay an endpoint
///
/// Makes a job that sends again what failed, what is missing, or all of a time; each delivery once. 409 when the endpoint is
/// disabled.
#[utoipa::path(
    post,
    path = "/webhooks/v1/endpoints/{id}/replay",
    tag = "Deliveries",
    operation_id = "replayEndpoint",
    params(EndpointInPath, IdempotencyHeader),
    request_body = Option<ReplayEndpoint>,
    responses((status = 202, description = "The job is made.", body = JobAnswer))
)]
pub(crate) async fn replay(
    State(api): State<Api>,
    Manager(caller): Manager,
    Id(id): Id,
    key: IdempotencyKey,
    body: OptionalJson<ReplayEndpoint>,
) -> Result<Answer, ApiError> {
    api.history()?;
    let route = format!("POST /webhooks/v1/endpoints/{id}/replay");
    let once = Once::new(key, &caller.repeats_within(), &route, body.sha256);
    let result = begin(&api, &caller, &id, &once, body.value).await;
    api.as_first_answered(&once, result).await
}

async fn begin(
    api: &Api,
    caller: &ForTenant,
    id: &str,
    once: &Once,
    wanted: ReplayEndpoint,
) -> Result<Answer, ApiError> {
    let endpoint = endpoints::find(&caller.view, &caller.tenant, id)?;
    caller.require_scopes_of(endpoint)?;
    let now_ms = now_ms();
    let state = read(wanted, &endpoint.id, now_ms)?;
    // Counting sends nothing.
    if !state.dry_run {
        receiver(&caller.view, &caller.tenant.id, id)
            .map_err(|obstacle| ApiError::conflict(format!("the endpoint {obstacle}")))?;
    }
    let job = Job {
        id: format!("job_{}", ulid::Ulid::new()),
        tenant: Some(caller.tenant.id.clone()),
        kind: RECOVERY.to_owned(),
        status: "running".to_owned(),
        total: 0,
        done: 0,
        state: state.to_state(),
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
    };
    let shown = JobShown::new(&job);
    let answer = Answer::json(StatusCode::ACCEPTED, &JobAnswer { job: shown });
    match api.put(once, 0, Entity::from(job), 0, answer).await? {
        Tried::Answered(answer) => Ok(answer),
        Tried::Conflict => Err(ApiError::conflict("a job of this id exists already")),
    }
}

fn read(wanted: ReplayEndpoint, endpoint_id: &str, now_ms: i64) -> Result<Recovery, ApiError> {
    let time = |path: &str, text: Option<String>| match text {
        None => Ok(None),
        Some(text) => parse_time(&text)
            .map(Some)
            .map_err(|message| ApiError::invalid(path, message)),
    };
    let since_ms = time("since", wanted.since)?.unwrap_or(0);
    let until_ms = time("until", wanted.until)?.unwrap_or(now_ms).min(now_ms);
    if since_ms >= until_ms {
        return Err(ApiError::invalid("since", "it must be before `until`, and in the past"));
    }
    if let Some(types) = &wanted.event_types {
        let is_sound = |name: &String| (1..=MAX_TYPE_CHARS).contains(&name.chars().count());
        if !(1..=MAX_TYPES).contains(&types.len()) || !types.iter().all(is_sound) {
            let message = format!("it must name 1 to {MAX_TYPES} types of at most {MAX_TYPE_CHARS} characters");
            return Err(ApiError::invalid("eventTypes", message));
        }
    }
    if !wanted.rate_per_second.is_none_or(|rate| (1..=MAX_RATE).contains(&rate)) {
        return Err(ApiError::invalid(
            "ratePerSecond",
            format!("it must be 1 to {MAX_RATE}"),
        ));
    }
    Ok(Recovery {
        endpoint_id: endpoint_id.to_owned(),
        since_ms,
        until_ms,
        event_types: wanted.event_types,
        only: match wanted.only {
            WantedOnly::Failed => Only::Failed,
            WantedOnly::Missing => Only::Missing,
            WantedOnly::All => Only::All,
        },
        dry_run: wanted.dry_run,
        rate_per_sec: wanted.rate_per_second,
        is_counted: false,
        cursor: None,
        gone: 0,
        error: None,
    })
}
