//! A delivery as the native API answers it.

use history_store::Delivery;
use runtime::clock::rfc3339;
use schemas::AttemptLogged;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// One event for one endpoint. Times are RFC 3339, UTC, in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryShown {
    /// `dlv_` and 26 characters
    id: String,
    event_id: String,
    event_type: String,
    endpoint_id: String,
    /// `pending`, `delivered` or `failed`
    status: &'static str,
    /// Why it failed: `rejected_by_receiver`, `retries_exhausted`, `expired`, `endpoint_disabled`, `endpoint_deleted` or
    /// `gone`
    reason: Option<String>,
    attempt_count: i32,
    replay_count: i32,
    created_at: String,
    /// null: as soon as possible, or never
    next_attempt_at: Option<String>,
    /// When it was delivered or failed.
    completed_at: Option<String>,
    last_status_code: Option<i32>,
    last_error: Option<String>,
}

/// One HTTP request of a delivery.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttemptShown {
    /// 1 for the first, counted on over replays; a crash may repeat one
    number: i32,
    started_at: String,
    duration_ms: i64,
    /// null: there was no answer
    status_code: Option<i32>,
    error: Option<String>,
    /// The first 20.
    response_headers: BTreeMap<String, String>,
    /// Its first 4 KiB.
    response_body: String,
    /// `event`, `retry` or `replay`
    trigger: String,
}

/// A delivery with all that is kept of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryDetail {
    #[serde(flatten)]
    pub delivery: DeliveryShown,
    /// The event's `data`; null once it is past its retention
    #[schema(value_type = serde_json::Value)]
    pub payload: Option<Box<RawValue>>,
    /// Oldest first.
    pub attempts: Vec<AttemptShown>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryAnswer {
    pub delivery: DeliveryShown,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryDetailAnswer {
    pub delivery: DeliveryDetail,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveriesAnswer {
    pub deliveries: Vec<DeliveryShown>,
    /// Send it back as `cursor` for what is older; null on the last page.
    pub next_cursor: Option<String>,
}

impl DeliveryShown {
    pub(crate) fn new(of: &Delivery) -> Self {
        let last = of.last.as_ref();
        Self {
            id: of.id.clone(),
            event_id: of.event_id.clone(),
            event_type: of.event_type.clone(),
            endpoint_id: of.endpoint_id.clone(),
            status: of.outcome.status.as_str(),
            reason: of.outcome.reason.clone(),
            attempt_count: of.attempt_count(),
            replay_count: of.outcome.generation,
            created_at: rfc3339(of.created_at_ms),
            next_attempt_at: of.next_attempt_at_ms().map(rfc3339),
            completed_at: of.completed_at_ms().map(rfc3339),
            last_status_code: last.and_then(|last| last.status_code),
            last_error: last.and_then(|last| last.error.clone()),
        }
    }
}

impl AttemptShown {
    pub(crate) fn new(of: AttemptLogged) -> Self {
        Self {
            number: of.number,
            started_at: rfc3339(of.started_at_ms),
            duration_ms: of.duration_ms,
            status_code: of.status_code,
            error: of.error,
            response_headers: of.response_headers,
            response_body: String::from_utf8_lossy(&of.response_body).into_owned(),
            trigger: of.trigger,
        }
    }
}
