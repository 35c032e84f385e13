//! `POST /webhooks/v1/endpoints/{id}/test`: one signed request now, as a delivery would be, through the same egress guard.
//! No retry, not in the history, and whatever the endpoint's status.

mod places;

use crate::{
    answer::Answer,
    auth::{ForTenant, Manager},
    body::{OptionalJson, present},
    endpoints,
    error::ApiError,
    once::{IdempotencyKey, Once},
    openapi::{EndpointInPath, IdempotencyHeader},
    path::Id,
    state::Api,
};
use axum::extract::State;
use delivery_request::{About, Head, MAX_RESPONSE_BYTES};
use egress::{Attempt, Failure, Request};
use event_model::{Event, Rendered, ids, render};
use http::StatusCode;
use places::Places;
use runtime::clock::{now_ms, rfc3339};
use schemas::{Endpoint, Source};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use std::{collections::BTreeMap, time::Duration};
use utoipa::ToSchema;

/// A type that no catalog has: it is for tests alone, and needs no scope.
const DEFAULT_TYPE: &str = "webhook.test";

/// Makes the requests of tests.
pub(crate) struct Tester {
    client: egress::Client,
    places: Places,
}

impl Tester {
    pub(crate) fn new(client: egress::Client) -> Self {
        Self {
            client,
            places: Places::default(),
        }
    }
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TestSend {
    /// A type of the tenant's catalogs; `webhook.test` when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    event_type: Option<String>,
    /// The event's `data`, any JSON; a short text when left out.
    #[serde(default)]
    #[schema(value_type = serde_json::Value, required = false)]
    payload: Option<Box<RawValue>>,
}

/// What the receiver made of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TestResult {
    /// It answered 2xx.
    ok: bool,
    /// null: there was no answer
    status_code: Option<u16>,
    duration_ms: i64,
    /// What went wrong; null when nothing did
    error: Option<String>,
    /// The first 20.
    response_headers: BTreeMap<String, String>,
    /// Its first 4 KiB.
    response_body: String,
    /// The id that the request carried, `dlv_…`
    webhook_id: String,
}

/// Send a test
///
/// One signed request now, whatever the endpoint's status; no retry, and not in the history.
#[utoipa::path(
    post,
    path = "/webhooks/v1/endpoints/{id}/test",
    tag = "Endpoints",
    operation_id = "testEndpoint",
    params(EndpointInPath, IdempotencyHeader),
    request_body = Option<TestSend>,
    responses((status = 200, description = "What the receiver made of it, also when it failed.", body = TestResult))
)]
pub(crate) async fn test(
    State(api): State<Api>,
    Manager(caller): Manager,
    Id(id): Id,
    key: IdempotencyKey,
    body: OptionalJson<TestSend>,
) -> Result<Answer, ApiError> {
    let route = format!("POST /webhooks/v1/endpoints/{id}/test");
    let once = Once::new(key, &caller.repeats_within(), &route, body.sha256);
    if let Some(answer) = api.first_answer(&once).await? {
        return Ok(answer);
    }
    let endpoint = endpoints::find(&caller.view, &caller.tenant, &id)?;
    caller.require_scopes_of(endpoint)?;
    let event = event(&api, &caller, &endpoint.id, body.value)?;
    let _place = api.tester.places.take(&endpoint.id)?;
    let delivery_id = ids::delivery_id(&event.id, &endpoint.id);
    let attempt = send(&api, &caller, endpoint, &event, &delivery_id).await;
    let response = attempt.outcome.as_ref().ok();
    let shown = TestResult {
        ok: response.is_some_and(|response| response.status.is_success()),
        status_code: response.map(|response| response.status.as_u16()),
        duration_ms: i64::try_from(attempt.duration.as_millis()).unwrap_or(i64::MAX),
        error: delivery_request::words(&attempt.outcome),
        response_headers: response.map(|response| response.headers.clone()).unwrap_or_default(),
        response_body: response.map_or_else(String::new, |response| {
            String::from_utf8_lossy(&response.body).into_owned()
        }),
        webhook_id: delivery_id,
    };
    Ok(api.note(&once, Answer::json(StatusCode::OK, &shown)).await)
}

/// # Errors
/// 400 for a type that the tenant hasn't or too large a payload, 403 for a type that the key may not receive.
fn event(api: &Api, caller: &ForTenant, endpoint_id: &str, wanted: TestSend) -> Result<Event, ApiError> {
    let event_type = wanted.event_type.unwrap_or_else(|| DEFAULT_TYPE.to_owned());
    if event_type != DEFAULT_TYPE {
        let catalogs = api.catalogs(&caller.view);
        let info = catalogs
            .find(&caller.tenant.catalogs, &event_type)
            .ok_or_else(|| ApiError::invalid("eventType", "it is in none of the tenant's catalogs"))?;
        if let Some(scope) = &info.required_scope {
            caller.scopes.require(&[scope])?;
        }
    }
    let data = match wanted.payload {
        Some(payload) if payload.get().len() > api.delivery.max_payload_bytes => {
            let most = api.delivery.max_payload_bytes;
            return Err(ApiError::invalid("payload", format!("it has more than {most} bytes")));
        }
        Some(payload) => payload,
        None => default_data(endpoint_id),
    };
    let now_ms = now_ms();
    Ok(Event {
        id: format!("evt_test_{}", ulid::Ulid::new()),
        tenant: caller.tenant.id.clone(),
        event_type,
        occurred_at: rfc3339(now_ms),
        data,
        cloud_source: None,
        traceparent: None,
        timestamp_ms: now_ms,
        source: Source {
            topic: String::new(),
            partition: 0,
            offset: 0,
        },
    })
}

fn default_data(endpoint_id: &str) -> Box<RawValue> {
    let data = json!({"message": "this is a test of your endpoint", "endpointId": endpoint_id});
    serde_json::value::to_raw_value(&data).expect("texts are JSON")
}

async fn send(api: &Api, caller: &ForTenant, endpoint: &Endpoint, event: &Event, delivery_id: &str) -> Attempt {
    let prefix = caller
        .tenant
        .header_prefix
        .as_ref()
        .unwrap_or(&api.delivery.header_prefix);
    let Rendered { body, content_type } = render(event, endpoint.envelope.parse().unwrap_or_default());
    let head = Head::new(endpoint, prefix, &api.keyring);
    let headers = head.headers(About {
        delivery_id,
        event_id: &event.id,
        body: &body,
        content_type,
        attempt: 1,
        is_replay: false,
        traceparent: Some(&ids::traceparent(&event.id)),
        now_ms: now_ms(),
    });
    let Some(headers) = headers else {
        return Attempt {
            outcome: Err(Failure::Unmade("the signing secret can't be used".into())),
            duration: Duration::ZERO,
        };
    };
    let timeout_sec = endpoint.timeout_sec.map_or(api.delivery.timeout_sec, i64::from);
    let request = Request {
        destination: api.tester.client.destination(&endpoint.url),
        headers,
        body,
        timeout: Duration::from_secs(u64::try_from(timeout_sec).unwrap_or(1)),
        max_response_bytes: MAX_RESPONSE_BYTES,
    };
    let mut attempt = Box::pin(api.tester.client.post(request)).await;
    if let Ok(response) = &mut attempt.outcome {
        head.mask(response);
    }
    attempt
}
