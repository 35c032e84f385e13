//! The reader's thread: one poll loop over all its partitions.

use super::{
    Command, Item, ReadOptions, ReaderOptions,
    gaps::Repair,
    message::{Detached, detach},
    readings::{Reading, Readings},
};
use crate::{Connection, Credit, Error, Record, TopicPartition};
use bytes::Bytes;
use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
};
use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a poll waits: the longest that a command, a resume or a `Reached` has to wait when nothing arrives.
const POLL: Duration = Duration::from_millis(10);
/// The same while a receiver's channel is full or a partition is paused, and how often those are looked after.
const POLL_WAITING: Duration = Duration::from_millis(2);
/// What a record occupies beside its key and value.
const RECORD_OVERHEAD_BYTES: usize = 256;

pub(super) struct Quiet {
    /// Of topics that are deleted while they are read, which is no news: whoever reads them looks whether they exist.
    short_lived: String,
}

impl Quiet {
    fn is_no_news(&self, code: Option<RDKafkaErrorCode>, reason: &str) -> bool {
        code.is_some_and(says_gone) && reason.starts_with(&self.short_lived)
    }
}

impl ClientContext for Quiet {
    fn error(&self, error: KafkaError, reason: &str) {
        if self.is_no_news(error.rdkafka_error_code(), reason) {
            tracing::debug!(%error, reason, "kafka reader");
        } else {
            tracing::warn!(%error, reason, "kafka reader");
        }
    }
}
impl ConsumerContext for Quiet {}

/// A client for first and end offsets.
pub(super) type Offsets = BaseConsumer<Quiet>;

pub(super) struct Worker {
    pub(super) consumer: BaseConsumer<Quiet>,
    /// A client of its own for first and end offsets.
    pub(super) offsets: Arc<Offsets>,
    commands: mpsc::Receiver<Command>,
    pub(super) readings: Readings,
    /// Partitions that are paused, or whose receiver's channel was full: each once.
    attended: Vec<TopicPartition>,
    attend_at: Instant,
    pub(super) repairs: Vec<Repair>,
    pub(super) repair_at: Instant,
}

pub(super) fn spawn(
    connection: &Connection,
    options: &ReaderOptions,
    commands: mpsc::Receiver<Command>,
) -> Result<Arc<Offsets>, Error> {
    let prefetch_kib = (options.prefetch_bytes / 1024).max(64).to_string();
    let fetch = options.fetch_bytes.to_string();
    let fetch_wait_ms = options.fetch_wait.as_millis().to_string();
    let config = connection.client(
        &[
            // Memory is bounded by bytes, in the next line. Once so many are there the client asks for idle partitions
            // alone, and nothing more of a busy one arrives until that answer's wait is over.
            ("queued.min.messages", "20000"),
            ("queued.max.messages.kbytes", prefetch_kib.as_str()),
            ("fetch.message.max.bytes", fetch.as_str()),
            ("fetch.queue.backoff.ms", "10"),
            ("fetch.error.backoff.ms", "100"),
            ("fetch.wait.max.ms", fetch_wait_ms.as_str()),
        ],
        &[
            // Never joined: librdkafka wants a name to allow assignment.
            ("group.id", "hookline-reader"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("isolation.level", "read_committed"),
            ("auto.offset.reset", "error"),
        ],
    );
    let make = || {
        let context = Quiet {
            short_lived: connection.names().endpoint_prefix(),
        };
        BaseConsumer::from_config_and_context(&config, context).map_err(|e| Error::from_kafka(&e, "create a reader"))
    };
    let offsets = Arc::new(make()?);
    let worker = Worker {
        consumer: make()?,
        offsets: offsets.clone(),
        commands,
        readings: Readings::default(),
        attended: Vec::new(),
        attend_at: Instant::now(),
        repairs: Vec::new(),
        repair_at: Instant::now(),
    };
    thread::Builder::new()
        .name(format!("read {}", options.name))
        .spawn(move || worker.run())
        .map_err(|e| Error::Other(format!("start a thread: {e}")))?;
    Ok(offsets)
}

impl Worker {
    fn run(mut self) {
        let mut wait = POLL;
        loop {
            loop {
                match self.commands.try_recv() {
                    Ok(command) => self.obey(command),
                    Err(mpsc::error::TryRecvError::Empty) => break,
                    Err(mpsc::error::TryRecvError::Disconnected) => return,
                }
            }
            if self.readings.is_empty() {
                // Nothing to read: wait for a command instead of polling.
                match self.commands.blocking_recv() {
                    Some(command) => self.obey(command),
                    None => return,
                }
                continue;
            }
            let polled = self.consumer.poll(wait).map(|r| r.map(|message| detach(&message)));
            wait = match polled {
                Some(Ok(raw)) => {
                    self.hand_on(raw);
                    Duration::ZERO
                }
                Some(Err(error)) => {
                    self.failed(&error);
                    self.longest_poll()
                }
                None => {
                    self.report_reached();
                    self.longest_poll()
                }
            };
            if !self.attended.is_empty() && Instant::now() >= self.attend_at {
                self.attend();
            }
            if !self.repairs.is_empty() && Instant::now() >= self.repair_at {
                self.repair_gaps();
            }
        }
    }

    fn longest_poll(&self) -> Duration {
        if self.attended.is_empty() { POLL } else { POLL_WAITING }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Add(partition, options, start, sink, done) => {
                let result = self.add(&partition, &options, start, sink);
                // The caller may have been cancelled: the partition then goes when its sink closes.
                let _ = done.send(result);
            }
            Command::Remove(partitions, done) => {
                for partition in &partitions {
                    self.remove(partition);
                }
                // As above.
                let _ = done.send(());
            }
        }
    }

    fn add(
        &mut self,
        partition: &TopicPartition,
        options: &ReadOptions,
        start: i64,
        sink: mpsc::Sender<Item>,
    ) -> Result<(), Error> {
        self.remove(partition);
        let list = one(partition, start)?;
        self.consumer
            .incremental_assign(&list)
            .map_err(|e| Error::from_kafka(&e, &partition.to_string()))?;
        self.readings.insert(partition, Reading::new(sink, options, start));
        Ok(())
    }

    pub(super) fn remove(&mut self, partition: &TopicPartition) {
        let Some(reading) = self.readings.remove(partition) else {
            return;
        };
        self.attended.retain(|attended| attended != partition);
        if reading.paused {
            // The client remembers a pause beyond the assignment: it would never read the partition again.
            self.set_paused(partition, false);
        }
        let removed = one(partition, 0).and_then(|list| {
            self.consumer
                .incremental_unassign(&list)
                .map_err(|e| Error::from_kafka(&e, &partition.to_string()))
        });
        if let Err(error) = removed {
            tracing::warn!(%partition, %error, "stop reading");
        }
    }

    fn hand_on(&mut self, raw: Detached) {
        let Some(topic) = self.readings.topic(&raw.topic) else {
            return;
        };
        let partition = TopicPartition {
            topic,
            partition: raw.partition,
        };
        let Some(reading) = self.readings.get_mut(&partition.topic, raw.partition) else {
            return;
        };
        if raw.offset < reading.next {
            return;
        }
        reading.next = raw.offset + 1;
        reading.newest_ms = reading.newest_ms.max(Some(raw.timestamp_ms));
        let size =
            raw.key.as_ref().map_or(0, Bytes::len) + raw.value.as_ref().map_or(0, Bytes::len) + RECORD_OVERHEAD_BYTES;
        let record = Record {
            topic: partition.topic.clone(),
            partition: raw.partition,
            offset: raw.offset,
            timestamp_ms: raw.timestamp_ms,
            key: raw.key,
            value: raw.value,
            headers: raw.headers,
            credit: Credit::take(&reading.window, size),
        };
        reading.held.push_back(Item::Record(record));
        if !reading.push_held() {
            self.remove(&partition);
            return;
        }
        let pause = reading.window.is_full() && !reading.paused;
        reading.paused |= pause;
        let attend = reading.wants_attention() && !reading.is_attended;
        reading.is_attended |= attend;
        if pause {
            self.set_paused(&partition, true);
        }
        if attend {
            self.attended.push(partition);
        }
    }

    fn set_paused(&self, partition: &TopicPartition, paused: bool) {
        let result = one(partition, 0).and_then(|list| {
            let result = if paused {
                self.consumer.pause(&list)
            } else {
                self.consumer.resume(&list)
            };
            result.map_err(|e| Error::from_kafka(&e, &partition.to_string()))
        });
        if let Err(error) = result {
            tracing::warn!(%partition, paused, %error, "pause or resume");
        }
    }

    /// A resume alone doesn't wake the thread that fetches: while no other partition is fetched it sleeps for up to a
    /// second. A seek to where the partition is anyway does (librdkafka 2.12, `rd_kafka_toppar_set_fetch_state`).
    fn wake(&self, partition: &TopicPartition, next: i64) {
        let sought = self.consumer.seek(
            &partition.topic,
            partition.partition,
            Offset::Offset(next),
            Duration::ZERO,
        );
        if let Err(error) = sought {
            tracing::warn!(%partition, %error, "wake a resumed partition");
        }
    }

    /// Hands on what was held, and resumes what has room again.
    fn attend(&mut self) {
        self.attend_at = Instant::now() + POLL_WAITING;
        for partition in std::mem::take(&mut self.attended) {
            let Some(reading) = self.readings.get_mut(&partition.topic, partition.partition) else {
                continue;
            };
            if !reading.push_held() {
                self.remove(&partition);
                continue;
            }
            let resume = reading.paused && reading.window.has_room();
            reading.paused &= !resume;
            let again = reading.wants_attention();
            reading.is_attended = again;
            let next = reading.next;
            if resume {
                self.set_paused(&partition, false);
                self.wake(&partition, next);
            }
            if again {
                self.attended.push(partition);
            }
        }
    }

    fn failed(&mut self, error: &KafkaError) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => self.plan_repairs(),
            // The client's own report names the topic.
            Some(code) if says_gone(code) => tracing::debug!(%error, "a topic being read is gone"),
            _ => tracing::warn!(%error, "reading"),
        }
    }
}

fn says_gone(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    matches!(code, UnknownPartition | UnknownTopic | UnknownTopicOrPartition)
}

pub(super) fn one(partition: &TopicPartition, offset: i64) -> Result<TopicPartitionList, Error> {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(offset))
        .map_err(|e| Error::Other(format!("offset {offset} of {partition}: {e}")))?;
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_endpoints_topic_goes_without_a_warning() {
        let context = Quiet {
            short_lived: "hookline.endpoint.".to_owned(),
        };
        let gone = Some(RDKafkaErrorCode::UnknownTopicOrPartition);
        assert!(context.is_no_news(gone, "hookline.endpoint.wh_1.1 [0]: topic does not exist"));
        assert!(!context.is_no_news(gone, "hookline.lanes [0]: topic does not exist"));
        let denied = Some(RDKafkaErrorCode::TopicAuthorizationFailed);
        assert!(!context.is_no_news(denied, "hookline.endpoint.wh_1.1 [0]: denied"));
    }
}
