//! What a worker does beside moving deliveries: deletes what was moved on, keeps its offsets from expiring, and says how
//! long the oldest delivery has waited.

use crate::{Error, queue::Queue, worker::Shared};
use kafka_log::TopicPartition;
use runtime::oldest_waiting::{Class, Seat};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};

/// Offsets of topics that a group isn't subscribed to expire 7 days after their last commit.
const KEEP_OFFSETS_EVERY: Duration = Duration::from_secs(86_400);
const GAUGES_EVERY: Duration = Duration::from_secs(5);

pub(crate) struct Housekeeping {
    shared: Arc<Shared>,
    partition: i32,
    /// For each tier, what is below it is deleted already.
    truncated: Vec<i64>,
    /// Beside the releasing, which it must not hold up: what it has deleted, if that worked.
    truncating: JoinSet<Option<Vec<i64>>>,
    truncate_at: Instant,
    keep_offsets_at: Instant,
    gauges_at: Instant,
    oldest: Seat,
}

impl Housekeeping {
    pub(crate) fn new(shared: Arc<Shared>, partition: i32) -> Self {
        let now = Instant::now();
        let truncate_at = now + shared.options.truncate_every;
        Self {
            shared,
            partition,
            truncated: Vec::new(),
            truncating: JoinSet::new(),
            truncate_at,
            keep_offsets_at: now,
            gauges_at: now,
            oldest: Seat::take(Class::Retry),
        }
    }

    /// Does what is due by now.
    pub(crate) async fn run(&mut self, queues: &[Queue]) -> Result<(), Error> {
        let now = Instant::now();
        if now >= self.gauges_at {
            self.gauges_at = now + GAUGES_EVERY;
            self.gauges(queues);
        }
        if now >= self.truncate_at {
            self.truncate_at = now + self.shared.options.truncate_every;
            self.truncate(queues);
        }
        if now >= self.keep_offsets_at {
            self.keep_offsets(queues).await?;
        }
        Ok(())
    }

    /// Commits where every tier stands, changed or not.
    pub(crate) async fn keep_offsets(&mut self, queues: &[Queue]) -> Result<(), Error> {
        let commits = queues.iter().map(|queue| queue.standing(self.partition)).collect();
        self.shared
            .membership
            .commit(vec![(self.shared.owned_by(self.partition), commits)])
            .await?;
        self.keep_offsets_at = Instant::now() + KEEP_OFFSETS_EVERY;
        Ok(())
    }

    fn truncate(&mut self, queues: &[Queue]) {
        while let Some(ended) = self.truncating.try_join_next() {
            if let Ok(Some(truncated)) = ended {
                self.truncated = truncated;
            }
        }
        if !self.truncating.is_empty() {
            return;
        }
        self.truncated.resize(queues.len(), 0);
        let changed = queues
            .iter()
            .zip(&self.truncated)
            .filter(|(queue, truncated)| queue.settled > **truncated);
        let below: Vec<(TopicPartition, i64)> = changed.map(|(queue, _)| (self.of(queue), queue.settled)).collect();
        let settled = queues.iter().map(|queue| queue.settled).collect();
        let (shared, partition) = (self.shared.clone(), self.partition);
        self.truncating.spawn(async move {
            match shared.admin.delete_records(&below).await {
                Ok(()) => Some(settled),
                // They only take room; the next round tries again.
                Err(error) => {
                    tracing::warn!(partition, %error, "what was released can't be deleted");
                    None
                }
            }
        });
    }

    fn gauges(&self, queues: &[Queue]) {
        let oldest_ms = queues.iter().filter_map(Queue::oldest_ms).min();
        self.oldest.set(oldest_ms);
        let partition = self.partition.to_string();
        let blocked = queues.iter().filter(|queue| queue.is_blocked()).count();
        metrics::gauge!("hookline_retry_blocked_partitions", "partition" => partition)
            .set(u32::try_from(blocked).map_or(0.0, f64::from));
    }

    fn of(&self, queue: &Queue) -> TopicPartition {
        TopicPartition::new(queue.topic().clone(), self.partition)
    }
}
