//! Query parameters, strictly: what is unknown, given twice or not readable is refused, never left out.

use crate::error::ApiError;
use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The parameters as `T`, which denies unknown fields and reads each from a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<T>(pub T);

/// A time, Unix milliseconds, given as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Time(pub i64);

impl TryFrom<String> for Time {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        parse_time(&text).map(Self)
    }
}

/// RFC 3339, to Unix milliseconds.
///
/// # Errors
/// What to write instead.
pub(crate) fn parse_time(text: &str) -> Result<i64, &'static str> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok();
    let ms = time.and_then(|time| i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok());
    ms.ok_or("a time is RFC 3339 with its offset, such as 2026-11-21T10:00:00Z")
}

/// For routes that take no parameter.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct None {}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let decoded = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        decode(name)
            .zip(decode(value))
            .ok_or_else(|| ApiError::invalid("query", "a parameter is not UTF-8 in percent-encoding"))
    });
    let decoded = decoded.collect::<Result<Vec<(String, String)>, _>>()?;
    let mut fields = Map::new();
    for (name, value) in decoded {
        if fields.insert(name.clone(), Value::String(value)).is_some() {
            return Err(ApiError::invalid(name, "this parameter is given twice"));
        }
    }
    let parsed = serde_path_to_error::deserialize(Value::Object(fields));
    parsed.map_err(|error| crate::body::refusal(&error))
}

/// `application/x-www-form-urlencoded`, whole or not at all.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Limit;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        limit: Option<Limit>,
        status: Option<String>,
    }

    #[test]
    fn what_is_well_formed_is_read() {
        let Wanted { limit, status } = parse("limit=5&status=a%20b+c").expect("it is fine");
        assert_eq!((limit, status.as_deref()), (Some(Limit(5)), Some("a b c")));
        assert!(parse::<Wanted>("").is_ok_and(|wanted| wanted.limit.is_none()));
    }

    #[test]
    fn everything_else_is_refused_with_its_name() {
        let cases = [
            ("limit=x", "limit"),
            ("limit=", "limit"),
            ("status=%ff", "query"),
            ("status=%4", "query"),
            ("status=a&status=b", "status"),
            ("offset=1", "offset"),
            ("=1", ""),
        ];
        for (query, path) in cases {
            let error = parse::<Wanted>(query).expect_err(query);
            assert_eq!(error.details[0].path, path, "{query}: {error:?}");
        }
    }
}
