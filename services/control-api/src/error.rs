//! What a caller is told when a request fails: the contract's codes, one shape for both APIs. Mapping of other crates'
//! errors is in `error/from`.

mod from;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::ToSchema;

/// The contract's error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Code {
    InvalidRequest,
    AuthInvalid,
    PermissionDenied,
    NotFound,
    MethodNotAllowed,
    Conflict,
    Gone,
    PreconditionFailed,
    PayloadTooLarge,
    UnsupportedMediaType,
    RateLimitExceeded,
    HeadersTooLarge,
    Unavailable,
    /// A defect of Hookline: nothing that a caller sends makes one.
    Internal,
}

impl Code {
    /// Each has a page, `docs/errors/<CODE>.md`.
    pub(crate) const ALL: [Self; 14] = [
        Self::InvalidRequest,
        Self::AuthInvalid,
        Self::PermissionDenied,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::Gone,
        Self::PreconditionFailed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::RateLimitExceeded,
        Self::HeadersTooLarge,
        Self::Unavailable,
        Self::Internal,
    ];

    /// As it is answered.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::AuthInvalid => "AUTH_INVALID",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::Conflict => "CONFLICT",
            Self::Gone => "GONE",
            Self::PreconditionFailed => "PRECONDITION_FAILED",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::RateLimitExceeded => "RATE_LIMIT_EXCEEDED",
            Self::HeadersTooLarge => "HEADERS_TOO_LARGE",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }

    /// One line for the documentation.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::InvalidRequest => {
                "something in the request is malformed, unknown or out of bounds; `details` says where"
            }
            Self::AuthInvalid => "the API key is missing, malformed, unknown, revoked or expired",
            Self::PermissionDenied => "the key is valid, and lacks a scope that this needs",
            Self::NotFound => "there is no such thing, or it is another tenant's",
            Self::MethodNotAllowed => "the path has other methods; the header `Allow` names them",
            Self::Conflict => "it exists already, a quota is used up, or somebody else changes it at the same time",
            Self::Gone => "it was there, and is past its retention",
            Self::PreconditionFailed => "it was changed since it was read: `If-Match` names an older version",
            Self::PayloadTooLarge => "the body is larger than this route takes",
            Self::UnsupportedMediaType => "the body's content type is not one that this route takes",
            Self::RateLimitExceeded => "too many requests; `Retry-After` says when to try again",
            Self::HeadersTooLarge => "the request line and the headers are more than is taken",
            Self::Unavailable => {
                "Kafka or the clerk can't be asked at the moment; `Retry-After` says when to try again"
            }
            Self::Internal => "a defect of Hookline, which its log describes under the request's id",
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::AuthInvalid => StatusCode::UNAUTHORIZED,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Gone => StatusCode::GONE,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RateLimitExceeded => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Detail {
    /// Where: a field of the body such as `eventTypeFilters[2]`, or the name of a parameter or header.
    pub path: String,
    pub message: String,
}

/// A refusal, as it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub code: Code,
    /// For whoever calls: what is wrong, and what to do. Never a secret, never anything of another tenant.
    pub message: Cow<'static, str>,
    pub details: Vec<Detail>,
    pub retry_after_sec: Option<u64>,
}

/// Every error's body.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorAnswer {
    pub error: ErrorShown,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorShown {
    pub code: Code,
    pub message: Cow<'static, str>,
    pub details: Vec<Detail>,
}

impl ApiError {
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
            retry_after_sec: None,
        }
    }

    /// 400, about one field, parameter or header.
    pub(crate) fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        let detail = Detail {
            path: path.into(),
            message: message.into(),
        };
        Self::invalid_all(vec![detail])
    }

    /// 400, about several.
    pub(crate) fn invalid_all(details: Vec<Detail>) -> Self {
        let said = details.iter().map(|detail| match detail.path.as_str() {
            "" => detail.message.clone(),
            path => format!("{path}: {}", detail.message),
        });
        let message = said.collect::<Vec<_>>().join("; ");
        Self {
            details,
            ..Self::new(Code::InvalidRequest, message)
        }
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {what}"))
    }

    pub(crate) fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::PermissionDenied, message)
    }

    pub(crate) fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Conflict, message)
    }

    /// 401. It doesn't say which it is: unknown, revoked, or expired.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            Code::AuthInvalid,
            "send a valid API key: `Authorization: Bearer <key>`; this one is missing, malformed, unknown, revoked or expired",
        )
    }

    /// 503: the same request may succeed a little later.
    pub(crate) fn unavailable(message: impl Into<Cow<'static, str>>, retry_after_sec: u64) -> Self {
        Self {
            retry_after_sec: Some(retry_after_sec),
            ..Self::new(Code::Unavailable, message)
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let retry_after = self.retry_after_sec;
        let shown = ErrorShown {
            code: self.code,
            message: self.message,
            details: self.details,
        };
        let mut response = (status, Json(ErrorAnswer { error: shown })).into_response();
        let headers = response.headers_mut();
        if let Some(sec) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(sec));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
