//! Bodies that don't end, or not soon: nothing of them is in memory but what is being sent.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;

use super::Pour;

const CHUNK: &[u8] = &[b'x'; 64 << 10];

/// As a response's body.
pub(super) fn body(pour: Pour) -> Body {
    match pour {
        Pour::Flood(bytes) => Body::from_stream(stream::unfold(bytes, |left| async move {
            let now = left.min(CHUNK.len());
            (now > 0).then(|| (Ok::<_, Infallible>(Bytes::from_static(&CHUNK[..now])), left - now))
        })),
        Pour::Drip => Body::from_stream(stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b"x")), ()))
        })),
    }
}
