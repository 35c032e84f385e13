//! `GET /webhooks/v1/jobs/{id}` and `POST …/cancel`: work that goes on after its request was answered.

use crate::{
    answer::Answer,
    auth::{ForTenant, Manager},
    error::ApiError,
    once::{Once, Tried},
    openapi::JobInPath,
    path::Id,
    state::Api,
};
use axum::extract::State;
use http::StatusCode;
use ledger::{Entity, Versioned, View};
use replay::Recovery;
use runtime::clock::{now_ms, rfc3339};
use schemas::Job;
use serde::Serialize;
use utoipa::ToSchema;

/// Tries of a cancellation beside a job that is busy telling how far it is.
const TRIES: usize = 20;

/// A job. Times are RFC 3339, UTC, in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobShown {
    /// `job_` and a ULID
    id: String,
    /// `endpoint_replay`
    kind: String,
    /// `running`, `done`, `cancelled` or `failed`
    status: String,
    /// How many deliveries are to be sent; 0 until they are counted
    total: i64,
    /// How many of them were.
    done: i64,
    created_at: String,
    updated_at: String,
    /// The endpoint that is recovered.
    endpoint_id: Option<String>,
    /// It counts and sends nothing.
    dry_run: bool,
    /// Deliveries whose event is past its retention, and which can't be sent.
    gone: i64,
    /// Why it failed.
    error: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobAnswer {
    pub job: JobShown,
}

impl JobShown {
    pub(crate) fn new(job: &Job) -> Self {
        let state = Recovery::of(job);
        let of = state.as_ref();
        Self {
            id: job.id.clone(),
            kind: job.kind.clone(),
            status: job.status.clone(),
            total: job.total,
            done: job.done,
            created_at: rfc3339(job.created_at_ms),
            updated_at: rfc3339(job.updated_at_ms),
            endpoint_id: of.map(|state| state.endpoint_id.clone()),
            dry_run: of.is_some_and(|state| state.dry_run),
            gone: of.map_or(0, |state| state.gone),
            error: of.and_then(|state| state.error.clone()),
        }
    }
}

fn find<'v>(view: &'v View, caller: &ForTenant, id: &str) -> Result<&'v Versioned<Job>, ApiError> {
    let job = view.job(id);
    job.filter(|job| job.tenant.as_deref() == Some(caller.tenant.id.as_str()))
        .ok_or_else(|| ApiError::not_found("job"))
}

/// Read a job
#[utoipa::path(
    get,
    path = "/webhooks/v1/jobs/{id}",
    tag = "Deliveries",
    operation_id = "getJob",
    params(JobInPath),
    responses((status = 200, description = "How far it is.", body = JobAnswer))
)]
pub(crate) async fn get(
    State(_): State<Api>,
    Manager(caller): Manager,
    Id(id): Id,
    crate::query::Query(crate::query::None {}): crate::query::Query<crate::query::None>,
) -> Result<Answer, ApiError> {
    let job = JobShown::new(find(&caller.view, &caller, &id)?);
    Ok(Answer::json(StatusCode::OK, &JobAnswer { job }))
}

/// Cancel a job
///
/// It ends after the batch that is under way; what was sent stays sent. One that has ended stays as it ended.
#[utoipa::path(
    post,
    path = "/webhooks/v1/jobs/{id}/cancel",
    tag = "Deliveries",
    operation_id = "cancelJob",
    params(JobInPath),
    responses((status = 200, description = "The job as it is now.", body = JobAnswer))
)]
pub(crate) async fn cancel(State(api): State<Api>, Manager(caller): Manager, Id(id): Id) -> Result<Answer, ApiError> {
    let mut view = caller.view.clone();
    for _ in 0..TRIES {
        let found = find(&view, &caller, &id)?;
        require_scopes(&view, &caller, found)?;
        if found.status != "running" {
            let job = JobShown::new(found);
            return Ok(Answer::json(StatusCode::OK, &JobAnswer { job }));
        }
        let cancelled = Job {
            status: "cancelled".to_owned(),
            updated_at_ms: now_ms(),
            ..found.entity.as_ref().clone()
        };
        let shown = JobShown::new(&cancelled);
        let answer = Answer::json(StatusCode::OK, &JobAnswer { job: shown });
        let once = Once::unkeyed();
        let asked = api.put(&once, 0, Entity::from(cancelled), found.version, answer);
        match asked.await? {
            Tried::Answered(answer) => return Ok(answer),
            Tried::Conflict => view = api.fresh().await?,
        }
    }
    Err(ApiError::conflict("the job is being changed all the time; try again"))
}

/// Replaying an endpoint needs its scopes, and so does ending it.
fn require_scopes(view: &View, caller: &ForTenant, job: &Job) -> Result<(), ApiError> {
    let endpoint = Recovery::of(job).and_then(|state| view.endpoint(&state.endpoint_id));
    endpoint.map_or(Ok(()), |endpoint| caller.require_scopes_of(endpoint))
}
