//! How many events fan-out has not committed: the most that its death can repeat.

use harness::Installation;
use kafka_log::{GroupOffsets, TopicPartition, Watermarks};

/// Most records of a source partition that fan-out has under way (its batch).
const BATCH_RECORDS: i64 = 500;

/// Reads the source topic's ends and fan-out's commits.
pub(crate) struct Backlog {
    watermarks: Watermarks,
    offsets: GroupOffsets,
    partitions: Vec<TopicPartition>,
}

impl Backlog {
    pub(crate) async fn of_fanout(installation: &Installation) -> anyhow::Result<Self> {
        let (connection, names) = (installation.connection(), installation.names());
        let watermarks = Watermarks::new(&connection)?;
        let count = watermarks.partitions(&names.events()).await?;
        Ok(Self {
            watermarks,
            offsets: GroupOffsets::new(&connection, &names.fanout_group())?,
            partitions: (0..count)
                .map(|partition| TopicPartition::new(names.events(), partition))
                .collect(),
        })
    }

    /// Events of all partitions that are not committed, at most a batch of each. While their owner is dead that is at
    /// least what it had under way.
    pub(crate) async fn events(&self) -> anyhow::Result<usize> {
        let mut events = 0;
        for committed in self.offsets.committed(self.partitions.clone()).await? {
            let TopicPartition { topic, partition } = &committed.partition;
            let (first, end) = self.watermarks.range(topic, *partition).await?;
            events += (end - committed.offset.unwrap_or(first)).clamp(0, BATCH_RECORDS);
        }
        Ok(usize::try_from(events)?)
    }
}
