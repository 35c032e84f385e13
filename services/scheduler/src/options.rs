//! Settings of the scheduler.

use std::time::Duration;

/// One value for each thing that a deployment or a test may want otherwise.
#[derive(Debug, Clone)]
pub struct Options {
    /// `kafka.lanes`: partitions of `returns`.
    pub lanes: i32,
    /// `kafka.instance_id`
    pub instance_id: Option<String>,
    /// Every topic that fan-out reads, `ingest` included, full names: the janitor deletes nothing before fan-out has
    /// reported the ledger's version on all their partitions.
    pub source_topics: Vec<String>,
    /// Most bytes read ahead of one partition of one retry topic. A process holds at most 128 times this.
    pub window_bytes: usize,
    /// How often what was released is deleted from the retry topics.
    pub truncate_every: Duration,
    /// How often the janitor looks; it deletes only what it found twice, at least this far apart.
    pub janitor_every: Duration,
}

impl Options {
    pub fn new(lanes: i32, source_topics: Vec<String>) -> Self {
        Self {
            lanes,
            instance_id: None,
            source_topics,
            window_bytes: 1 << 20,
            truncate_every: Duration::from_secs(60),
            janitor_every: Duration::from_secs(60),
        }
    }
}
