//! A record taken out of the client's memory.

use bytes::Bytes;
use rdkafka::{
    Message,
    message::{BorrowedMessage, Headers},
};

pub(crate) struct Detached {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: i64,
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Vec<(String, Bytes)>,
}

/// Copies it.
pub(crate) fn detach(message: &BorrowedMessage<'_>) -> Detached {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers
            .iter()
            .map(|h| {
                (
                    h.key.to_owned(),
                    h.value.map_or_else(Bytes::new, Bytes::copy_from_slice),
                )
            })
            .collect()
    });
    Detached {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
        key: message.key().map(Bytes::copy_from_slice),
        value: message.payload().map(Bytes::copy_from_slice),
        headers,
    }
}
