//! The reader's thread: one poll loop over all its partitions.

use super::{Command, Item, ReadOptions, ReaderOptions, Start, gaps};
use crate::{Connection, Credit, Error, Record, TopicPartition};
use bytes::Bytes;
use rdkafka::{
    ClientContext, Message, Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Headers},
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc as std_mpsc,
    },
    thread,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a poll waits: the longest that a command, a resume or a `Reached` has to wait when nothing arrives.
const POLL: Duration = Duration::from_millis(10);
/// What a record occupies beside its key and value.
const RECORD_OVERHEAD_BYTES: usize = 256;

struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka reader");
    }
}
impl ConsumerContext for Quiet {}

/// One partition being read.
struct Reading {
    sink: mpsc::Sender<Item>,
    window: Arc<AtomicUsize>,
    window_bytes: usize,
    paused: bool,
    /// Read, but the receiver's channel was full.
    held: VecDeque<Item>,
    report_reached: bool,
    /// The offset after the last record handed on.
    next: i64,
    /// The last offset reported as reached.
    reported: i64,
}

struct Worker {
    consumer: BaseConsumer<Quiet>,
    /// A client of its own for first and end offsets.
    offsets: BaseConsumer<Quiet>,
    commands: std_mpsc::Receiver<Command>,
    readings: HashMap<Arc<str>, HashMap<i32, Reading>>,
    paused: usize,
}

pub(super) fn spawn(
    connection: &Connection,
    options: &ReaderOptions,
    commands: std_mpsc::Receiver<Command>,
) -> Result<(), Error> {
    let prefetch_kib = (options.prefetch_bytes / 1024).max(64).to_string();
    let fetch = options.fetch_bytes.to_string();
    let fetch_wait_ms = options.fetch_wait.as_millis().to_string();
    let config = connection.client(
        &[
            ("queued.min.messages", "2000"),
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
    let make =
        || BaseConsumer::from_config_and_context(&config, Quiet).map_err(|e| Error::from_kafka(&e, "create a reader"));
    let worker = Worker {
        consumer: make()?,
        offsets: make()?,
        commands,
        readings: HashMap::new(),
        paused: 0,
    };
    thread::Builder::new()
        .name(format!("read {}", options.name))
        .spawn(move || worker.run())
        .map_err(|e| Error::Other(format!("start a thread: {e}")))?;
    Ok(())
}

impl Worker {
    fn run(mut self) {
        let mut wait = POLL;
        loop {
            loop {
                match self.commands.try_recv() {
                    Ok(command) => self.obey(command),
                    Err(std_mpsc::TryRecvError::Empty) => break,
                    Err(std_mpsc::TryRecvError::Disconnected) => return,
                }
            }
            if self.readings.is_empty() {
                // Nothing to read: wait for a command instead of polling.
                match self.commands.recv_timeout(Duration::from_millis(200)) {
                    Ok(command) => self.obey(command),
                    Err(std_mpsc::RecvTimeoutError::Timeout) => {}
                    Err(std_mpsc::RecvTimeoutError::Disconnected) => return,
                }
                let _ = self.consumer.poll(Duration::ZERO);
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
                    POLL
                }
                None => {
                    self.report_reached();
                    POLL
                }
            };
            if self.paused > 0 {
                self.resume();
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Add(partition, options, sink, done) => {
                let result = self.add(&partition, &options, sink);
                // The caller may have been cancelled: the partition then goes when its sink closes.
                let _ = done.send(result);
            }
            Command::Remove(partitions, done) => {
                for partition in &partitions {
                    self.remove(partition);
                }
                let _: Result<(), ()> = oneshot::Sender::send(done, ());
            }
        }
    }

    fn add(
        &mut self,
        partition: &TopicPartition,
        options: &ReadOptions,
        sink: mpsc::Sender<Item>,
    ) -> Result<i64, Error> {
        self.remove(partition);
        let (first, end) = self
            .offsets
            .fetch_watermarks(&partition.topic, partition.partition, CALL_TIMEOUT)
            .map_err(|e| Error::from_kafka(&e, &partition.to_string()))?;
        let start = match options.start {
            Start::Beginning => first,
            Start::End => end,
            Start::Time(ms) => self.offset_at(partition, ms)?.unwrap_or(end),
            Start::Offset(offset) if offset < first => {
                gaps::note(partition, offset, first);
                first
            }
            Start::Offset(offset) => offset,
        };
        let list = one(partition, start)?;
        self.consumer
            .incremental_assign(&list)
            .map_err(|e| Error::from_kafka(&e, &partition.to_string()))?;
        let reading = Reading {
            sink,
            window: Arc::new(AtomicUsize::new(0)),
            window_bytes: options.window_bytes,
            paused: false,
            held: VecDeque::new(),
            report_reached: options.report_reached,
            next: start,
            reported: -1,
        };
        self.readings
            .entry(partition.topic.clone())
            .or_default()
            .insert(partition.partition, reading);
        Ok(start)
    }

    /// Offset of the first record of this time or later.
    fn offset_at(&self, partition: &TopicPartition, ms: i64) -> Result<Option<i64>, Error> {
        let what = partition.to_string();
        let answer = self
            .offsets
            .offsets_for_times(one(partition, ms)?, CALL_TIMEOUT)
            .map_err(|e| Error::from_kafka(&e, &what))?;
        let Some(element) = answer.find_partition(&partition.topic, partition.partition) else {
            return Ok(None);
        };
        element.error().map_err(|e| Error::from_kafka(&e, &what))?;
        Ok(match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        })
    }

    fn remove(&mut self, partition: &TopicPartition) {
        let Some(partitions) = self.readings.get_mut(&partition.topic) else {
            return;
        };
        let Some(reading) = partitions.remove(&partition.partition) else {
            return;
        };
        if partitions.is_empty() {
            self.readings.remove(&partition.topic);
        }
        if reading.paused {
            self.paused -= 1;
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
        let Some((topic, _)) = self.readings.get_key_value(raw.topic.as_str()) else {
            return;
        };
        let partition = TopicPartition {
            topic: topic.clone(),
            partition: raw.partition,
        };
        let Some(reading) = self
            .readings
            .get_mut(&partition.topic)
            .and_then(|p| p.get_mut(&raw.partition))
        else {
            return;
        };
        if raw.offset < reading.next {
            return;
        }
        reading.next = raw.offset + 1;
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
        let full = !reading.held.is_empty() || reading.window.load(Ordering::Relaxed) >= reading.window_bytes;
        if full && !reading.paused {
            reading.paused = true;
            self.paused += 1;
            self.set_paused(&partition, true);
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

    /// Hands on what was held, and resumes what has room again.
    fn resume(&mut self) {
        let mut gone = Vec::new();
        let mut resumed = Vec::new();
        for (topic, partitions) in &mut self.readings {
            for (number, reading) in partitions.iter_mut().filter(|(_, r)| r.paused) {
                let partition = TopicPartition {
                    topic: topic.clone(),
                    partition: *number,
                };
                if !reading.push_held() {
                    gone.push(partition);
                } else if reading.held.is_empty() && reading.window.load(Ordering::Relaxed) <= reading.window_bytes / 4
                {
                    reading.paused = false;
                    resumed.push(partition);
                }
            }
        }
        for partition in gone {
            self.remove(&partition);
        }
        for partition in resumed {
            self.paused -= 1;
            self.set_paused(&partition, false);
        }
    }

    /// Tells receivers how far the client's position has moved past the last record: transaction markers count.
    fn report_reached(&mut self) {
        if !self
            .readings
            .values()
            .flat_map(HashMap::values)
            .any(|r| r.report_reached)
        {
            return;
        }
        let Ok(positions) = self.consumer.position() else {
            return;
        };
        let mut gone = Vec::new();
        for element in positions.elements() {
            let Some(reading) = self
                .readings
                .get_mut(element.topic())
                .and_then(|p| p.get_mut(&element.partition()))
            else {
                continue;
            };
            let position = match element.offset() {
                Offset::Offset(offset) => offset.max(reading.next),
                _ => reading.next,
            };
            if !reading.report_reached || !reading.held.is_empty() || position <= reading.reported {
                continue;
            }
            let partition = TopicPartition::new(element.topic(), element.partition());
            match reading.sink.try_send(Item::Reached {
                partition: partition.clone(),
                offset: position,
            }) {
                Ok(()) => reading.reported = position,
                // Full: reported at the next quiet moment.
                Err(mpsc::error::TrySendError::Full(_)) => {}
                Err(mpsc::error::TrySendError::Closed(_)) => gone.push(partition),
            }
        }
        for partition in gone {
            self.remove(&partition);
        }
    }

    fn failed(&mut self, error: &KafkaError) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => self.repair_gaps(),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                tracing::debug!(%error, "a topic being read is gone");
            }
            _ => tracing::warn!(%error, "reading"),
        }
    }

    /// Finds the partitions whose next offset is no longer kept, raises it, and goes on at the first one kept.
    fn repair_gaps(&mut self) {
        let all: Vec<(TopicPartition, i64)> = self
            .readings
            .iter()
            .flat_map(|(topic, partitions)| {
                partitions.iter().map(|(n, r)| {
                    (
                        TopicPartition {
                            topic: topic.clone(),
                            partition: *n,
                        },
                        r.next,
                    )
                })
            })
            .collect();
        for (partition, next) in all {
            let Ok((first, end)) = self
                .offsets
                .fetch_watermarks(&partition.topic, partition.partition, CALL_TIMEOUT)
            else {
                continue;
            };
            let to = if next < first {
                gaps::note(&partition, next, first);
                first
            } else if next > end {
                tracing::error!(%partition, next, end, "the log ends before the offset to read: was the topic recreated?");
                end
            } else {
                continue;
            };
            let sought = self
                .consumer
                .seek(&partition.topic, partition.partition, Offset::Offset(to), CALL_TIMEOUT);
            if let Err(error) = sought {
                tracing::error!(%partition, %error, "seek past a gap");
            }
            if let Some(reading) = self
                .readings
                .get_mut(&partition.topic)
                .and_then(|p| p.get_mut(&partition.partition))
            {
                reading.next = to;
            }
        }
    }
}

impl Reading {
    /// Hands on what it can; false when the receiver is gone.
    fn push_held(&mut self) -> bool {
        while let Some(item) = self.held.pop_front() {
            match self.sink.try_send(item) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(item)) => {
                    self.held.push_front(item);
                    return true;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => return false,
            }
        }
        true
    }
}

struct Detached {
    topic: String,
    partition: i32,
    offset: i64,
    timestamp_ms: i64,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Vec<(String, Bytes)>,
}

fn detach(message: &BorrowedMessage<'_>) -> Detached {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers
            .iter()
            .map(|h| {
                (
                    h.key.to_owned(),
                    h.value.map_or_else(Bytes::new, Bytes::copy_from_slice),
                )
            })
            .collect()
    });
    Detached {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
        key: message.key().map(Bytes::copy_from_slice),
        value: message.payload().map(Bytes::copy_from_slice),
        headers,
    }
}

fn one(partition: &TopicPartition, offset: i64) -> Result<TopicPartitionList, Error> {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(offset))
        .map_err(|e| Error::Other(format!("offset {offset} of {partition}: {e}")))?;
    Ok(list)
}
