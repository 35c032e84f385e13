//! Notices at the start that the group's offsets are gone: brokers forget those of a group that has had no member for
//! `offsets.retention.minutes` (7 days by default). Then sources begin where their `start` says, and with `earliest`
//! everything that is still retained is delivered once more.

use kafka_log::{Connection, Error, GroupOffsets, TopicPartition, Watermarks};

/// Says so, as an error in the log and in `hookline_offsets_expired_total`, when fan-out has worked before and nothing
/// that it committed is left. It changes nothing: what would be repeated can't be told from what would be missed.
pub(crate) async fn look(connection: &Connection, source_topics: &[String]) {
    match is_expired(connection, source_topics).await {
        Ok(false) => {}
        Ok(true) => {
            metrics::counter!("hookline_offsets_expired_total").increment(1);
            tracing::error!(
                group = connection.names().fanout_group(),
                "fan-out has worked here before, but the brokers know none of its offsets (they expire when it is down \
                 for longer than offsets.retention.minutes): each source begins at its `start` again; with `earliest` \
                 everything it still holds is delivered once more"
            );
        }
        Err(error) => tracing::warn!(%error, "whether fan-out's offsets are still there can't be told"),
    }
}

async fn is_expired(connection: &Connection, source_topics: &[String]) -> Result<bool, Error> {
    let names = connection.names();
    let watermarks = Watermarks::new(connection)?;
    let mut partitions = Vec::new();
    for topic in source_topics {
        match watermarks.partitions(topic).await {
            Ok(count) => partitions.extend((0..count).map(|number| TopicPartition::new(topic.as_str(), number))),
            Err(Error::UnknownTopic(_)) => {}
            Err(error) => return Err(error),
        }
    }
    // Begun partitions are committed at once, those of `ingest` included, which is always read.
    let offsets = GroupOffsets::new(connection, &names.fanout_group())?;
    let committed = offsets.committed(partitions).await?;
    if committed.iter().any(|committed| committed.offset.is_some()) {
        return Ok(false);
    }
    // The first record of the log is always fan-out's.
    let log = names.log();
    for number in 0..watermarks.partitions(&log).await? {
        if watermarks.range(&log, number).await?.1 > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
