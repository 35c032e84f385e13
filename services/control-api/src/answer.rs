//! An answer whose bytes are known before the change is made, so that a repeat can be given the same.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

/// Status, version and JSON body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    status: u16,
    /// Of the entity, for the `ETag`.
    version: Option<i64>,
    /// JSON text; empty: no body.
    body: String,
}

impl Answer {
    pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        Self {
            status: status.as_u16(),
            version: None,
            body: serde_json::to_string(body).expect("answers are structs with text keys"),
        }
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status: status.as_u16(),
            version: None,
            body: String::new(),
        }
    }

    /// With an `ETag`.
    #[must_use]
    pub(crate) fn at_version(self, version: i64) -> Self {
        Self {
            version: Some(version),
            ..self
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = if self.body.is_empty() {
            status.into_response()
        } else {
            let json = HeaderValue::from_static("application/json");
            (status, [(header::CONTENT_TYPE, json)], self.body).into_response()
        };
        if let Some(version) = self.version
            && let Ok(etag) = HeaderValue::try_from(format!("\"{version}\""))
        {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response
    }
}
