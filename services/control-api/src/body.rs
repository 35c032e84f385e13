//! Request bodies: JSON and nothing else, read whole within a limit, in which every field is known and given once.

mod shape;

use crate::error::{ApiError, Code};
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, header};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IntoDeserializer as _},
};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Largest body of a request, but of routes that say otherwise.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A body as `T`, which denies unknown fields, and the hash of its bytes.
#[derive(Debug)]
pub(crate) struct Json<T> {
    pub value: T,
    pub sha256: [u8; 32],
}

/// As [`Json`]; a request without a body is `T::default()`.
#[derive(Debug)]
pub(crate) struct OptionalJson<T> {
    pub value: T,
    pub sha256: [u8; 32],
}

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = read(request, MAX_BODY_BYTES, &["application/json"]).await?;
        Ok(Self {
            value: parse(&body)?,
            sha256: Sha256::digest(&body).into(),
        })
    }
}

impl<T: DeserializeOwned + Default, S: Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        use axum::body::HttpBody as _;
        if request.body().is_end_stream() {
            return Ok(Self {
                value: T::default(),
                sha256: Sha256::digest([]).into(),
            });
        }
        let Json { value, sha256 } = Json::from_request(request, state).await?;
        Ok(Self { value, sha256 })
    }
}

/// A body of one of these media types, whole.
///
/// # Errors
/// 415, 413, or 400 when it breaks off or takes too long.
pub(crate) async fn read(request: Request, max_bytes: usize, types: &[&str]) -> Result<Bytes, ApiError> {
    check_type(request.headers(), types)?;
    let too_large = || {
        ApiError::new(
            Code::PayloadTooLarge,
            format!("a body here has at most {max_bytes} bytes"),
        )
    };
    let said = request.headers().get(header::CONTENT_LENGTH);
    let said = said.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|length| length > max_bytes as u64) {
        return Err(too_large());
    }
    let reading = axum::body::to_bytes(request.into_body(), max_bytes);
    match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) => {
            // axum doesn't say which it is but by the source's text.
            let source = std::error::Error::source(&error).map(ToString::to_string);
            if source.is_some_and(|source| source.contains("length limit")) {
                return Err(too_large());
            }
            Err(ApiError::invalid("", "the body broke off before its end"))
        }
        Err(_) => Err(ApiError::invalid(
            "",
            format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs()),
        )),
    }
}

fn check_type(headers: &HeaderMap, types: &[&str]) -> Result<(), ApiError> {
    let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = named.unwrap_or_default().split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_utf8 = parts.filter(|part| !part.is_empty()).all(|parameter| {
        let charset = parameter
            .split_once('=')
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        charset.is_none_or(|(_, value)| value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"))
    });
    let has_encoding = headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let once = headers.get_all(header::CONTENT_TYPE).iter().count() == 1;
    if once && is_utf8 && !has_encoding && types.iter().any(|wanted| essence.eq_ignore_ascii_case(wanted)) {
        return Ok(());
    }
    Err(ApiError::new(
        Code::UnsupportedMediaType,
        format!(
            "send `content-type: {}`, in UTF-8 and without content-encoding",
            types.join("` or `")
        ),
    ))
}

/// JSON text as `T`.
///
/// # Errors
/// 400, with the path of what is wrong.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let text = std::str::from_utf8(body)
        .map_err(|error| ApiError::invalid("", format!("the body is not UTF-8, at byte {}", error.valid_up_to())))?;
    shape::check(text)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let parsed = serde_path_to_error::deserialize(&mut json);
    parsed.map_err(|error| refusal(&error))
}

/// serde's own words say the position in the text too, which the path says better.
pub(crate) fn refusal(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let said = error.inner().to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    let mut path = error.path().to_string();
    if path == "." || path == "?" {
        path.clear();
    }
    // The path of an unknown or missing field may be that of its object: name the field.
    let named = said
        .strip_prefix("unknown field `")
        .or(said.strip_prefix("missing field `"));
    if let Some(field) = named.and_then(|rest| rest.split('`').next())
        && path != field
        && !path.ends_with(&format!(".{field}"))
    {
        let dot = if path.is_empty() { "" } else { "." };
        path = format!("{path}{dot}{field}");
    }
    ApiError::invalid(path, said)
}

/// For a field that may be left out but not be null.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// As [`present`], for a name of few: serde takes an object with one member for one, too.
pub(crate) fn name<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(from)?;
    T::deserialize(text.into_deserializer()).map(Some)
}

/// A struct that may be null, from an object alone: serde takes an array for one, too.
pub(crate) fn nullable_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    let wanted = Option::<shape::Object<T>>::deserialize(from)?;
    Ok(Some(wanted.map(|object| object.0)))
}

#[cfg(test)]
mod tests;
