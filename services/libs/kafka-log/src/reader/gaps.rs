//! Records that are gone before they were read: counted and raised, never passed over in silence.

use super::{
    starting,
    worker::{CALL_TIMEOUT, Worker, one},
};
use crate::{Error, TopicPartition, leader};
use rdkafka::consumer::Consumer;
use std::time::{Duration, Instant};

/// Between two looks at what can't be repaired yet.
const REPAIR_AGAIN: Duration = Duration::from_secs(1);
/// How long a log may end before the offset to read until it is taken for a fact.
const LEADER_PATIENCE: Duration = Duration::from_secs(10);

/// Notes that the records in `wanted..first` of a partition were deleted before anybody read them. The number of
/// offsets is an upper bound of the records: transaction markers occupy offsets too.
pub(super) fn note(partition: &TopicPartition, wanted: i64, first: i64) {
    let lost = u64::try_from(first - wanted).unwrap_or(0);
    metrics::counter!("hookline_lost_records_total", "topic_class" => class(&partition.topic)).increment(lost);
    tracing::error!(
        %partition, wanted, first, lost,
        "records were deleted before they were read; run `hookline topics check` to see which topic setting did it"
    );
}

/// Bounded label: the topic without an endpoint's or a tier's part.
fn class(topic: &str) -> &'static str {
    const CLASSES: [&str; 8] = [
        "lanes",
        "returns",
        "ledger.requests",
        "ledger.outcomes",
        "ledger",
        "log",
        "dlq",
        "ingest",
    ];
    if topic.contains(".endpoint.") || topic.contains("endpoint.wh_") {
        return "dedicated";
    }
    if topic.contains("retry.") {
        return "retry";
    }
    CLASSES
        .into_iter()
        .find(|class| topic.ends_with(class))
        .unwrap_or("source")
}

/// A partition that the client may have stopped fetching.
pub(super) struct Repair {
    partition: TopicPartition,
    since: Instant,
}

impl Worker {
    /// A partition's next offset is out of range: the client fetches it no more and doesn't say which it is, so all are
    /// looked at.
    pub(super) fn plan_repairs(&mut self) {
        let since = Instant::now();
        let all = self
            .readings
            .iter_mut()
            .map(|(partition, _)| Repair { partition, since });
        let mut planned: Vec<Repair> = std::mem::take(&mut self.repairs);
        for repair in all {
            if !planned.iter().any(|p| p.partition == repair.partition) {
                planned.push(repair);
            }
        }
        self.repairs = planned;
        self.repair_at = self.repair_at.max(since);
    }

    /// Begins anew with the planned partitions: where they were, or past a gap, which is raised. What the brokers can't
    /// tell now is tried again.
    pub(super) fn repair_gaps(&mut self) {
        self.repair_at = Instant::now() + REPAIR_AGAIN;
        let planned = std::mem::take(&mut self.repairs);
        for repair in planned {
            if !self.repair(&repair) {
                self.repairs.push(repair);
            }
        }
    }

    fn repair(&mut self, repair: &Repair) -> bool {
        let partition = &repair.partition;
        let Some(reading) = self.readings.get_mut(&partition.topic, partition.partition) else {
            return true;
        };
        let (first, end) = match leader::watermarks(&self.offsets, partition, CALL_TIMEOUT) {
            Ok(range) => range,
            Err(error) => {
                tracing::warn!(%partition, %error, "can't tell whether records are missing; trying again");
                return false;
            }
        };
        let next = reading.next;
        if next < first {
            note(partition, next, first);
            reading.next = first;
        } else if next > end {
            // A new leader may not know yet how far its partition was acknowledged.
            if repair.since.elapsed() < LEADER_PATIENCE {
                return false;
            }
            // Of a topic that was made again that is its beginning, of a log that was cut off its end.
            let after = reading
                .newest_ms
                .map(|ms| starting::at_time(&self.offsets, partition, ms));
            let from = match after.transpose() {
                Ok(from) => from.flatten().unwrap_or(end),
                Err(error) => {
                    tracing::warn!(%partition, %error, "can't tell where a log that is shorter now goes on; trying again");
                    return false;
                }
            };
            tracing::error!(
                %partition, next, end, from,
                "the log ends before the offset to read: was the topic recreated? What is newer than all that was read is read"
            );
            reading.next = from;
            reading.reported = -1;
        }
        let (offset, paused) = (reading.next, reading.paused);
        match self.begin_anew(partition, offset, paused) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%partition, %error, "reading can't begin anew; trying again");
                false
            }
        }
    }

    /// A seek would be refused: the client has stopped this partition.
    fn begin_anew(&self, partition: &TopicPartition, offset: i64, paused: bool) -> Result<(), Error> {
        let list = one(partition, offset)?;
        let failed = |e| Error::from_kafka(&e, &partition.to_string());
        self.consumer.incremental_unassign(&list).map_err(failed)?;
        self.consumer.incremental_assign(&list).map_err(failed)?;
        if paused {
            self.consumer.pause(&list).map_err(failed)?;
        }
        Ok(())
    }
}
