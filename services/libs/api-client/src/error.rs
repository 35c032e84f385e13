//! What can go wrong between a caller and the API, in words that say what to do.

use serde::Deserialize;
use std::fmt;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client was given something that can't be used.
    #[error("{0}")]
    Settings(String),
    #[error("{0:?} is no id")]
    Id(String),
    /// Nothing answered, after all tries. Whether the last request was carried out isn't known, unless nothing listens.
    #[error("{url} can't be reached: {reason}; is `hookline serve api` running there, and is HOOKLINE_URL right?")]
    Unreachable { url: String, reason: String },
    /// The API said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// Something answered, but not as the API does.
    #[error("{url} answered {status} with something that isn't Hookline's: {reason}; is HOOKLINE_URL right?")]
    Foreign { url: String, status: u16, reason: String },
}

impl Error {
    /// True when the same call may succeed later without anybody's help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Unreachable { .. } => true,
            Error::Refused(refusal) => refusal.is_retryable(),
            Error::Settings(_) | Error::Id(_) | Error::Foreign { .. } => false,
        }
    }

    /// The API's answer, when it was one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Error::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

/// The API's error answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    pub status: u16,
    /// Such as `INVALID_REQUEST`.
    pub code: String,
    pub message: String,
    pub details: Vec<Detail>,
    /// What the API's log calls the request.
    pub request_id: Option<String>,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Detail {
    #[serde(default)]
    pub path: String,
    pub message: String,
}

impl Refusal {
    pub(crate) fn is_retryable(&self) -> bool {
        matches!(self.status, 429 | 503)
    }

    /// Reads `{"error":{"code","message","details"}}`.
    pub(crate) fn read(status: u16, body: &[u8], request_id: Option<String>) -> Result<Self, serde_json::Error> {
        let Document { error } = serde_json::from_slice(body)?;
        Ok(Self {
            status,
            code: error.code,
            message: error.message,
            details: error.details.unwrap_or_default(),
            request_id,
        })
    }
}

#[derive(Deserialize)]
struct Document {
    error: Fault,
}

/// The error as it stands in an answer, or in one item of a batch.
#[derive(Deserialize)]
pub(crate) struct Fault {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) details: Option<Vec<Detail>>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        // The message may say what its details say.
        let news = self
            .details
            .iter()
            .filter(|detail| !self.message.contains(&detail.message));
        for Detail { path, message } in news {
            match path.as_str() {
                "" => write!(f, "; {message}")?,
                path => write!(f, "; {path}: {message}")?,
            }
        }
        write!(f, " ({}", self.code)?;
        if self.status > 0 {
            write!(f, ", {}", self.status)?;
        }
        if let Some(id) = &self.request_id {
            write!(f, ", request {id}")?;
        }
        f.write_str(")")?;
        let advice = match self.status {
            401 => "; check HOOKLINE_API_KEY",
            503 => "; the API can't write at the moment: try again in some seconds",
            _ => "",
        };
        f.write_str(advice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_shows_everything_that_was_said() {
        let body = br#"{"error":{"code":"INVALID_REQUEST","message":"the body is wrong","details":[{"path":"url","message":"is missing"}]}}"#;
        let refusal = Refusal::read(400, body, Some("req_1".into())).expect("an error answer");
        assert_eq!(
            refusal.to_string(),
            "the body is wrong; url: is missing (INVALID_REQUEST, 400, request req_1)"
        );
        let repeated = Refusal {
            message: "url: is missing".into(),
            ..refusal.clone()
        };
        assert!(
            repeated.to_string().starts_with("url: is missing (INVALID"),
            "{repeated}"
        );
        assert!(!Error::Refused(Box::new(refusal)).is_retryable());
        assert!(Refusal::read(502, b"<html>", None).is_err());
    }
}
