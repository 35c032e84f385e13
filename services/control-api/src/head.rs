//! How large the head of a request may be: request line and headers together. The server takes somewhat more than is
//! allowed, so that what is too large can be told so in the shape that all errors have; what is beyond even that gets the
//! HTTP parser's own 431, which has no body.

use crate::error::{ApiError, Code};
use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, Uri};

const MAX_HEADERS: usize = 64;
const MAX_BYTES: usize = 32 << 10;
/// What the server takes. (Bytes up to twice as many: it reads in portions, and counts them when a head isn't whole yet.)
pub(crate) const PARSED_HEADERS: usize = 4 * MAX_HEADERS;
pub(crate) const PARSED_BYTES: usize = 2 * MAX_BYTES;

/// The middleware that refuses it, before anything else looks at the request.
pub(crate) async fn bound(request: Request, next: Next) -> Response {
    match check(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let refuse = |message: String| Err(ApiError::new(Code::HeadersTooLarge, message));
    if headers.len() > MAX_HEADERS {
        return refuse(format!("a request here has at most {MAX_HEADERS} headers"));
    }
    if bytes(method, uri, headers) > MAX_BYTES {
        return refuse(format!(
            "request line and headers here have at most {MAX_BYTES} bytes together"
        ));
    }
    Ok(())
}

/// As they were sent, but for spaces around values.
fn bytes(method: &Method, uri: &Uri, headers: &HeaderMap) -> usize {
    let origin = uri.authority().map_or(0, |authority| {
        uri.scheme_str().map_or(0, |scheme| scheme.len() + "://".len()) + authority.as_str().len()
    });
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    let line = method.as_str().len() + origin + path + "  HTTP/1.1\r\n".len();
    let headers = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    line + headers.sum::<usize>() + "\r\n".len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn headers(count: usize) -> HeaderMap {
        let name = |n| HeaderName::try_from(format!("x-{n}")).expect("a name");
        (0..count).map(|n| (name(n), HeaderValue::from_static("1"))).collect()
    }

    #[test]
    fn a_head_is_measured_as_it_was_sent() {
        let sent = "GET /a?b=c HTTP/1.1\r\nx-0: 1\r\nx-1: 1\r\n\r\n";
        assert_eq!(
            bytes(&Method::GET, &Uri::from_static("/a?b=c"), &headers(2)),
            sent.len()
        );
        let sent = "GET http://api:80/a HTTP/1.1\r\n\r\n";
        let uri = Uri::from_static("http://api:80/a");
        assert_eq!(bytes(&Method::GET, &uri, &headers(0)), sent.len());
    }

    #[test]
    fn the_last_that_fits_passes() {
        let check = |path: usize, headers: &HeaderMap| {
            let uri = Uri::try_from(format!("/{}", "x".repeat(path))).expect("a path");
            check(&Method::GET, &uri, headers).map_err(|refusal| refusal.code)
        };
        let most = MAX_BYTES - "GET / HTTP/1.1\r\n\r\n".len();
        assert_eq!(check(most, &headers(0)), Ok(()));
        assert_eq!(check(most + 1, &headers(0)), Err(Code::HeadersTooLarge));
        assert_eq!(check(0, &headers(MAX_HEADERS)), Ok(()));
        assert_eq!(check(0, &headers(MAX_HEADERS + 1)), Err(Code::HeadersTooLarge));
    }
}
