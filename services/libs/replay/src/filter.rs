//! Which dead letters are meant.

use delivery_core::murmur2;
use schemas::DeadLetter;

/// All that is set must match; nothing set means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub endpoint: Option<String>,
    pub tenant: Option<String>,
    pub event_type: Option<String>,
    pub reason: Option<String>,
    /// Died at or after this, Unix milliseconds.
    pub since_ms: Option<i64>,
    /// Died before this, Unix milliseconds.
    pub until_ms: Option<i64>,
    /// The delivery id.
    pub id: Option<String>,
    /// Most dead letters to list, or to act upon.
    pub limit: Option<u64>,
}

impl Filter {
    /// One delivery.
    pub fn id(id: impl Into<String>) -> Self {
        Self {
            id: Some(id.into()),
            ..Self::default()
        }
    }

    /// Whether it is meant; the limit is not looked at.
    pub fn matches(&self, letter: &DeadLetter) -> bool {
        let delivery = &letter.delivery;
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        is(&self.endpoint, &delivery.endpoint_id)
            && is(&self.tenant, &delivery.tenant)
            && is(&self.event_type, &delivery.event_type)
            && is(&self.reason, &letter.reason)
            && is(&self.id, &delivery.delivery_id)
            && self.since_ms.is_none_or(|since_ms| letter.died_at_ms >= since_ms)
            && self.until_ms.is_none_or(|until_ms| letter.died_at_ms < until_ms)
    }

    /// The partitions of `count` in which what is meant can be.
    pub(crate) fn partitions(&self, count: i32) -> Vec<i32> {
        match &self.id {
            Some(id) => vec![murmur2::partition(id.as_bytes(), count)],
            None => (0..count).collect(),
        }
    }

    pub(crate) fn is_reached(&self, done: u64) -> bool {
        self.limit.is_some_and(|limit| done >= limit)
    }
}
