//! A record as it was read, with the window of bytes that it occupies until it is dropped.

use crate::Credit;
use bytes::Bytes;
use std::sync::Arc;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    pub topic: Arc<str>,
    pub partition: i32,
}

impl TopicPartition {
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}

/// One record. The bytes it occupies in its reader's window are given back when `credit` is dropped.
#[derive(Debug)]
pub struct Record {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    /// Unix milliseconds, as the broker keeps it; 0 when it has none.
    pub timestamp_ms: i64,
    pub key: Option<Bytes>,
    /// None: a tombstone.
    pub value: Option<Bytes>,
    pub headers: Vec<(String, Bytes)>,
    pub credit: Credit,
}

impl Record {
    /// The value of the last header of this name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_ref())
    }
}
