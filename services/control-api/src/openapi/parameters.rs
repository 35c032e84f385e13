//! Parameters that several routes take, as the document describes them. They are read elsewhere (`once`,
//! `precondition`, `path`, `page`).

#![allow(dead_code, reason = "their fields are read by the macro alone")]

use utoipa::IntoParams;

/// Of routes that make something.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct IdempotencyHeader {
    /// 1 to 255 visible ASCII characters. The same request with the same key within 24 hours is answered the same, and
    /// done once; with another body it is a conflict.
    #[param(
        rename = "Idempotency-Key",
        required = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$"
    )]
    idempotency_key: String,
}

/// Of routes that change something.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct IfMatchHeader {
    /// The `ETag` that you have read: the change is made only when it is still that version.
    #[param(
        rename = "If-Match",
        required = false,
        pattern = r#"^("[!#-~]*"|\*)$"#,
        example = "\"3\""
    )]
    if_match: String,
}

/// Of routes of one endpoint.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct EndpointInPath {
    /// The endpoint's id: `wh_` and a ULID.
    #[param(example = "wh_01K9ZJ6M3T8Q2V5X7Y9ABCDEFG")]
    id: String,
}

/// Of routes of one delivery.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct DeliveryInPath {
    /// The delivery's id: `dlv_` and 26 characters.
    #[param(example = "dlv_EEZ475ZEMQZYVBV904E77M30D7")]
    id: String,
}

/// Of routes of one event.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct EventInPath {
    /// The event's id: `evt_…`, or its producer's own.
    #[param(example = "evt_G85BQN8TSA0WFGN2RSH1MJ2TGQ")]
    id: String,
}

/// Of routes of one job.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct JobInPath {
    /// The job's id: `job_` and a ULID.
    #[param(example = "job_01K9ZJ6M3T8Q2V5X7Y9ABCDEFG")]
    id: String,
}

/// Of lists in pages.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// How many at most; when left out 50, or 200 event types.
    #[param(value_type = u8, minimum = 1, maximum = 200, required = false)]
    limit: u8,
    /// `nextCursor` of the page before.
    #[param(required = false)]
    cursor: String,
}

/// Of routes of one tenant.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct TenantInPath {
    /// The tenant's id.
    #[param(example = "org_01K9ZJ5V0C4N6P8R1S3TABCDEF")]
    id: String,
}

/// Of routes of one event type.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct TypeInPath {
    /// The type's name, or an open family such as `billing.*`.
    #[param(rename = "type", example = "billing.invoice.paid")]
    name: String,
}
