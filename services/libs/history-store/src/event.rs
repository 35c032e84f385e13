//! What is known of one event: that it was matched, and where its body is.

/// An event, as far as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: String,
    pub tenant: String,
    pub event_type: String,
    /// When it was first matched, Unix milliseconds.
    pub matched_at_ms: i64,
    pub log_partition: i32,
    /// Where its last `matched` record with the body stands: the one that is kept longest. −1 while none was seen.
    pub log_offset: i64,
}

impl Event {
    /// Adds what another record says of the same event: the same whatever the order.
    pub fn add(&mut self, other: &Self) {
        debug_assert_eq!((&self.tenant, &self.id), (&other.tenant, &other.id));
        self.matched_at_ms = self.matched_at_ms.min(other.matched_at_ms);
        self.log_offset = self.log_offset.max(other.log_offset);
        if self.event_type < other.event_type {
            self.event_type.clone_from(&other.event_type);
        }
    }
}
