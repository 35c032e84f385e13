//! `If-Match`: a change is made only to the version that its caller has seen (RFC 9110, 13.1.1).

use crate::error::{ApiError, Code};
use axum::extract::FromRequestParts;
use http::{header, request::Parts};

/// The header, when it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Whatever version it has.
    Any,
    /// One of these tags, quotes taken off.
    One(Vec<String>),
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut tags = Vec::new();
        let mut any = true;
        for value in parts.headers.get_all(header::IF_MATCH) {
            let text = value.to_str().unwrap_or_default();
            if text.trim() == "*" {
                continue;
            }
            any = false;
            let malformed = || {
                ApiError::invalid(
                    "if-match",
                    "it must be entity tags in double quotes, as `ETag` was answered, or `*`",
                )
            };
            for tag in text.split(',').map(str::trim) {
                // A weak tag never matches here, but is no error.
                let tag = tag.strip_prefix("W/").map_or(tag, |_| "\"weak\"");
                let inner = tag
                    .strip_prefix('"')
                    .and_then(|tag| tag.strip_suffix('"'))
                    .ok_or_else(malformed)?;
                tags.push(inner.to_owned());
            }
        }
        Ok(if any { Self::Any } else { Self::One(tags) })
    }
}

impl IfMatch {
    /// 412 unless the version is one that the caller has seen.
    pub(crate) fn check(&self, version: i64) -> Result<(), ApiError> {
        match self {
            Self::Any => Ok(()),
            Self::One(tags) if tags.iter().any(|tag| *tag == version.to_string()) => Ok(()),
            Self::One(_) => Err(ApiError::new(
                Code::PreconditionFailed,
                "it was changed since you read it; read it again, and send its new ETag",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    async fn read(values: &[&'static str]) -> Result<IfMatch, ApiError> {
        let mut request = Request::builder();
        for value in values {
            request = request.header("if-match", *value);
        }
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        IfMatch::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn only_a_version_that_was_seen_passes() {
        assert!(read(&[]).await.expect("none").check(7).is_ok());
        assert!(read(&["*"]).await.expect("any").check(7).is_ok());
        assert!(read(&["\"6\", \"7\""]).await.expect("two").check(7).is_ok());
        let stale = read(&["\"6\""]).await.expect("one").check(7).expect_err("it is stale");
        assert_eq!(stale.code, Code::PreconditionFailed);
        assert!(read(&["W/\"7\""]).await.expect("weak").check(7).is_err());
        for malformed in ["7", "", "\"7", "'7'"] {
            assert!(read(&[malformed]).await.is_err(), "{malformed}");
        }
    }
}
