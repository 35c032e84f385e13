//! Settings of the role.

use std::time::Duration;

/// One value for each thing that a deployment or a test may want otherwise.
#[derive(Debug, Clone)]
pub struct Options {
    /// `kafka.instance_id`
    pub instance_id: Option<String>,
    /// `history.retention_days`: deliveries of which nothing was heard for so long go.
    pub retention: Duration,
    /// How often what is too old is taken out.
    pub prune_every: Duration,
    /// Most records of one transaction of the database.
    pub batch_records: usize,
    /// How long a first record waits for others to be written with it.
    pub linger: Duration,
}

impl Options {
    #[must_use]
    pub fn new(retention: Duration) -> Self {
        Self {
            instance_id: None,
            retention,
            prune_every: Duration::from_secs(600),
            batch_records: 8_000,
            linger: Duration::from_millis(25),
        }
    }
}
