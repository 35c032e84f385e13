//! Reading an answer within bounds of bytes and time, whatever the receiver sends.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// Kept of a response: at most this many headers, each value cut to this many bytes.
const MAX_HEADERS: usize = 20;
const MAX_HEADER_BYTES: usize = 1024;

/// A body somewhat longer than what is kept is read on up to here, so that its connection can be used again.
const MAX_DRAINED_BYTES: usize = 64 * 1024;

/// A response, within bounds. Its body may be incomplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: StatusCode,
    /// The first 20 names, values as text of at most 1,024 bytes; repeated ones joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// `Retry-After` as it came, also when it isn't among the kept headers.
    pub retry_after: Option<String>,
    /// The first bytes.
    pub body: Bytes,
}

impl Response {
    /// Reads on until the body ends, is longer than its bounds, breaks off or the deadline comes.
    pub(crate) async fn read(response: reqwest::Response, max_bytes: usize, deadline: Instant) -> Self {
        let (status, headers) = (response.status(), kept_headers(response.headers()));
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.map(|value| joined([value]));
        let body = read_body(response, max_bytes, deadline).await;
        Self {
            status,
            headers,
            retry_after,
            body,
        }
    }
}

/// The first bytes of the body; what can't be read by the deadline is left out.
async fn read_body(mut response: reqwest::Response, max_bytes: usize, deadline: Instant) -> Bytes {
    let mut kept = Vec::new();
    let mut read = 0_usize;
    // Ends on the end of the body, an error or the deadline.
    while let Ok(Ok(Some(chunk))) = tokio::time::timeout_at(deadline, response.chunk()).await {
        kept.extend_from_slice(&chunk[..chunk.len().min(max_bytes - kept.len())]);
        read += chunk.len();
        if read > max_bytes.max(MAX_DRAINED_BYTES) {
            break;
        }
    }
    kept.into()
}

fn kept_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers
        .keys()
        .take(MAX_HEADERS)
        .map(|name| (name.as_str().to_owned(), joined(headers.get_all(name))))
        .collect()
}

fn joined<'a>(values: impl IntoIterator<Item = &'a HeaderValue>) -> String {
    let mut text = String::new();
    for (number, value) in values.into_iter().enumerate() {
        if number > 0 {
            text.push_str(", ");
        }
        // No more is copied than can be kept; a character cut in two here lies behind the cut below.
        let bytes = value.as_bytes();
        text.push_str(&String::from_utf8_lossy(
            &bytes[..bytes.len().min(MAX_HEADER_BYTES + 4)],
        ));
        if text.len() > MAX_HEADER_BYTES {
            text.truncate(text.floor_char_boundary(MAX_HEADER_BYTES));
            break;
        }
    }
    text
}
