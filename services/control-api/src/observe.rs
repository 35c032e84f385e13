//! Around every request: its id, its log line, its figures, and headers that every answer has. Nothing of a key, a body,
//! a query or a path's ids is logged but the tenant.

use crate::notes::Notes;
use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use runtime::trace;
use std::time::Instant;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_REQUEST_ID: usize = 128;
/// The template of a request that meets no route.
const NO_ROUTE: &str = "none";

/// The middleware of the whole router.
pub(crate) async fn observe(mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(request.headers());
    let method = method_name(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| NO_ROUTE.to_owned(), |path| path.as_str().to_owned());
    let traceparent = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    let mut span = trace::server(|| format!("{method} {route}").into(), traceparent);
    let notes = Notes::default();
    request.extensions_mut().insert(notes.clone());
    let mut response = next.run(request).await;
    let status = response.status();
    let duration = began.elapsed();
    tracing::info!(
        target: "access",
        method,
        route,
        status = status.as_u16(),
        duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        request_id = id.to_str().unwrap_or_default(),
        tenant = notes.tenant(),
        "request"
    );
    if let Some(span) = &mut span {
        span.set("http.request.method", method);
        span.set("http.route", route.clone());
        span.set("http.response.status_code", i64::from(status.as_u16()));
        if let Some(tenant) = notes.tenant() {
            span.set("hookline.tenant", tenant.to_owned());
        }
        if status.is_server_error() {
            span.fail(status.as_u16().to_string());
        }
    }
    let class = match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    metrics::counter!("hookline_api_requests_total", "route" => route, "method" => method, "status" => class)
        .increment(1);
    metrics::histogram!("hookline_api_request_seconds").record(duration);
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    if let Some(left) = notes.left() {
        left.write(headers);
    }
    let defaults = [
        // Answers may hold a secret.
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in defaults {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// The caller's own, when it is sound; else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sound = |value: &&HeaderValue| {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        (1..=MAX_REQUEST_ID).contains(&value.len()) && value.as_bytes().iter().all(allowed)
    };
    headers.get(&REQUEST_ID).filter(sound).cloned().unwrap_or_else(|| {
        let made = format!("req_{}", ulid::Ulid::new());
        HeaderValue::try_from(made).expect("letters, digits and an underscore")
    })
}

/// One of few words: a method may be any token.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_request_id_is_kept_and_another_replaced() {
        let with = |value: &'static str| {
            let headers = HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static(value))]);
            request_id(&headers)
        };
        assert_eq!(with("abc-1.2_3"), "abc-1.2_3");
        for unsound in ["", "a b", "<script>", "a\tb"] {
            let made = with(unsound);
            assert!(made.to_str().is_ok_and(|id| id.starts_with("req_")), "{unsound:?}");
        }
    }
}
