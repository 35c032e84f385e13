//! How far the other roles have come, as their committed offsets tell.

use crate::{Error, worker::Shared};
use kafka_log::{GroupOffsets, Item, ReadOptions, Start, TopicPartition, Watermarks};
use std::time::Duration;
use tokio::sync::mpsc;

/// Longest look at what lies between a committed offset and a topic's end.
const LOOK: Duration = Duration::from_secs(5);

/// The ledger version that fan-out has reached on every partition of every source topic, or None when a partition
/// hasn't reported any.
pub(super) async fn fanout_version(
    fanout: &GroupOffsets,
    watermarks: &Watermarks,
    source_topics: &[String],
) -> Result<Option<i64>, Error> {
    let mut partitions = Vec::new();
    for topic in source_topics {
        let count = watermarks.partitions(topic).await?;
        partitions.extend((0..count).map(|partition| TopicPartition::new(topic.as_str(), partition)));
    }
    if partitions.is_empty() {
        return Ok(None);
    }
    let mut lowest = i64::MAX;
    for committed in fanout.committed(partitions).await? {
        match committed.offset.and_then(|_| version_in(&committed.metadata)) {
            Some(version) => lowest = lowest.min(version),
            None => return Ok(None),
        }
    }
    Ok(Some(lowest))
}

/// The version in the metadata of a fan-out's commit: `v1|<ledger version>`.
fn version_in(metadata: &str) -> Option<i64> {
    let rest = metadata.strip_prefix("v1|")?;
    rest.split('|').next()?.parse().ok()
}

/// Whether the dispatchers have done everything in this one-partition topic.
pub(super) async fn is_read_to_end(
    shared: &Shared,
    dispatcher: &GroupOffsets,
    watermarks: &Watermarks,
    topic: &str,
) -> Result<bool, Error> {
    let partition = TopicPartition::new(topic, 0);
    let committed = dispatcher.committed(vec![partition.clone()]).await?;
    let (first, end) = watermarks.range(topic, 0).await?;
    let from = committed
        .first()
        .and_then(|committed| committed.offset)
        .unwrap_or(first)
        .max(first);
    if from >= end {
        return Ok(true);
    }
    // Only transaction markers may be left, which nobody commits past.
    let (sink, mut items) = mpsc::channel(1);
    let read = ReadOptions {
        window_bytes: 1,
        report_reached: true,
        ..ReadOptions::new(Start::Offset(from))
    };
    shared.reader.add(partition.clone(), read, sink).await?;
    let empty = tokio::time::timeout(LOOK, async {
        loop {
            match items.recv().await {
                Some(Item::Reached { offset, .. }) if offset >= end => return true,
                Some(Item::Reached { .. }) => {}
                Some(Item::Record(_)) | None => return false,
            }
        }
    });
    let empty = empty.await.unwrap_or(false);
    shared.reader.remove(vec![partition]).await;
    Ok(empty)
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn reads_only_what_it_knows() {
        assert_eq!(version_in("v1|42"), Some(42));
        assert_eq!(version_in("v1|42|more"), Some(42));
        for unknown in ["", "42", "v1|", "v1|x", "v2|42"] {
            assert_eq!(version_in(unknown), None, "{unknown}");
        }
    }
}
