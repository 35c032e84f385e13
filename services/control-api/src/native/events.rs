//! `POST /webhooks/v1/events`: publishing for those who have no Kafka client. Events are judged as fan-out will judge them,
//! written to `ingest`, and answered once all brokers have them.

pub(crate) mod ingest;
mod item;
pub(crate) mod read;
mod split;

use crate::{
    answer::Answer,
    auth::ForTenant,
    body,
    error::{ApiError, Code, ErrorShown},
    once::IdempotencyKey,
    state::Api,
};
use axum::extract::{Request, State};
use http::{HeaderMap, StatusCode, header};
use item::{Judge, Judged};
use runtime::clock::now_ms;
use serde::Serialize;
use split::Body;
use utoipa::ToSchema;

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
/// Largest body, of one event or many.
pub(crate) const MAX_BODY_BYTES: usize = 4 << 20;
/// Judged in one go, before others have their turn.
const AT_ONCE: usize = 32;

/// One event was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventTaken {
    /// The event's own, or one that was made for it.
    id: String,
}

/// What became of each event of a batch, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventsTaken {
    results: Vec<EventResult>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum EventResult {
    Taken(EventTaken),
    Refused { error: ErrorShown },
}

/// Publish events
///
/// One event or a batch of at most 1,000, as a JSON array or as JSON lines. It is answered once all brokers have them.
/// A repeated `Idempotency-Key` gives the same ids again, so receivers see one event; bodies aren't compared.
#[utoipa::path(
    post,
    path = "/webhooks/v1/events",
    tag = "Events",
    operation_id = "publishEvents",
    params(crate::openapi::IdempotencyHeader),
    request_body(content((crate::openapi::PublishedEvents = "application/json"), (String = "application/x-ndjson"))),
    responses((status = 202, description = "They are taken; of a batch, those with an id.", body = crate::openapi::Published))
)]
pub(crate) async fn publish(
    State(api): State<Api>,
    caller: ForTenant,
    key: IdempotencyKey,
    request: Request,
) -> Result<Answer, ApiError> {
    let are_lines = is_of_type(request.headers(), LINES);
    let traceparent = traceparent(request.headers());
    let _room = api.ingest.room_for(request.headers()).await?;
    let bytes = body::read(request, MAX_BODY_BYTES, &[JSON, LINES]).await?;
    let catalogs = api.catalogs(&caller.view);
    let judge = Judge {
        tenant: &caller.tenant,
        scopes: &caller.scopes,
        catalogs: &catalogs,
        idempotency_key: key.text(),
        max_payload_bytes: api.delivery.max_payload_bytes,
        topic: api.ingest.topic(),
        traceparent: traceparent.as_deref(),
        now_ms: now_ms(),
    };
    match split::split(&bytes, are_lines)? {
        Body::One(text) => {
            let Judged { id, record } = judge.judge(text, 0)?;
            match api.ingest.write(&[record]).await.pop() {
                Some(Ok(())) => Ok(Answer::json(StatusCode::ACCEPTED, &EventTaken { id })),
                Some(Err(error)) => Err(error),
                None => Err(ingest::not_taken()),
            }
        }
        Body::Many(texts) => {
            let mut judged = Vec::with_capacity(texts.len());
            for (index, text) in texts.into_iter().enumerate() {
                if index % AT_ONCE == AT_ONCE - 1 {
                    tokio::task::yield_now().await;
                }
                judged.push(text.and_then(|text| judge.judge(text, index)));
            }
            let results = write_all(&api, judged, key.text().is_some()).await?;
            Ok(Answer::json(StatusCode::ACCEPTED, &EventsTaken { results }))
        }
    }
}

/// Writes those that are fine. When Kafka takes none of them, or the request may be repeated as a whole, an error of Kafka
/// is the whole answer's; else that of the events that it didn't take.
async fn write_all(
    api: &Api,
    judged: Vec<Result<Judged, ApiError>>,
    is_repeatable: bool,
) -> Result<Vec<EventResult>, ApiError> {
    let mut records = Vec::new();
    let mut ids = Vec::with_capacity(judged.len());
    for one in judged {
        ids.push(one.map(|Judged { id, record }| {
            records.push(record);
            id
        }));
    }
    let written = api.ingest.write(&records).await;
    let failed = written.iter().filter(|one| one.is_err()).count();
    if failed > 0 && (is_repeatable || failed == written.len()) {
        return Err(written
            .into_iter()
            .find_map(Result::err)
            .unwrap_or_else(ingest::not_taken));
    }
    let mut written = written.into_iter();
    let results = ids.into_iter().map(|id| match id {
        Ok(id) => match written.next() {
            Some(Ok(())) => EventResult::Taken(EventTaken { id }),
            Some(Err(error)) => refused(error),
            None => refused(ingest::not_taken()),
        },
        Err(error) => refused(error),
    });
    Ok(results.collect())
}

fn refused(error: ApiError) -> EventResult {
    EventResult::Refused {
        error: ErrorShown {
            code: error.code,
            message: error.message,
            details: error.details,
        },
    }
}

fn is_of_type(headers: &HeaderMap, wanted: &str) -> bool {
    let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = named.and_then(|named| named.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(wanted)
}

/// Handed on as it came: fan-out takes a valid one and leaves any other out.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    const CHARS: usize = 55;
    let text = headers.get("traceparent")?.to_str().ok()?;
    (text.len() == CHARS).then(|| text.to_owned())
}

/// A batch of nothing, or of too much.
fn wrong_count(found: usize, most: usize) -> ApiError {
    match found {
        0 => ApiError::invalid("", "there is no event in it"),
        _ => ApiError::new(
            Code::InvalidRequest,
            format!("there are {found} events in it; send at most {most} at once"),
        ),
    }
}
