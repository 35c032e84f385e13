//! Records at known positions, for whoever asks now and then: bodies that only a topic holds.
//!
//! Deliberately not here: following a partition ([`crate::Reader`]).

use crate::{Connection, Credit, Error, Record, TopicPartition, reader::message::detach, window::Window};
use parking_lot::Mutex;
use rdkafka::{
    Offset, TopicPartitionList,
    config::FromClientConfig,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// Questions at once, each with a client of its own.
const CLIENTS: usize = 4;
/// Of one question.
const TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);
/// What is at most this far ahead is reached by reading on; beyond it begins anew.
const NEAR: i64 = 200;

/// Reads records by their offsets. Cheap to clone.
#[derive(Clone)]
pub struct Positions {
    shared: Arc<Shared>,
}

struct Shared {
    connection: Connection,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<BaseConsumer>>,
}

impl Positions {
    pub fn new(connection: &Connection) -> Self {
        Self {
            shared: Arc::new(Shared {
                connection: connection.clone(),
                places: Arc::new(Semaphore::new(CLIENTS)),
                idle: Mutex::new(Vec::new()),
            }),
        }
    }

    /// The records at these offsets of a partition, in ascending order; None for each that isn't kept (any more).
    ///
    /// # Errors
    /// When the brokers don't answer in time, or the topic can't be read.
    pub async fn read(&self, partition: TopicPartition, offsets: Vec<i64>) -> Result<Vec<Option<Record>>, Error> {
        if offsets.is_empty() {
            return Ok(Vec::new());
        }
        let place = self.shared.places.clone().acquire_owned().await;
        let place = place.map_err(|_| Error::Stopped)?;
        let shared = self.shared.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let client = shared.client()?;
            let records = Reading::new(&client, &partition).all(&offsets);
            // One that failed may be in whatever state.
            if records.is_ok() && client.unassign().is_ok() {
                shared.idle.lock().push(client);
            }
            drop(place);
            records
        });
        reading.await.map_err(|_| Error::Stopped)?
    }
}

impl Shared {
    fn client(&self) -> Result<BaseConsumer, Error> {
        if let Some(client) = self.idle.lock().pop() {
            return Ok(client);
        }
        let config = self.connection.client(
            &[
                // One record is wanted, not what follows it.
                ("queued.min.messages", "1"),
                ("queued.max.messages.kbytes", "4096"),
                ("fetch.message.max.bytes", "131072"),
                ("fetch.wait.max.ms", "10"),
                ("fetch.queue.backoff.ms", "1"),
                ("fetch.error.backoff.ms", "50"),
            ],
            &[
                // Never joined: librdkafka wants a name to allow assignment.
                ("group.id", "hookline-positions"),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("isolation.level", "read_committed"),
                ("auto.offset.reset", "error"),
                ("enable.partition.eof", "true"),
            ],
        );
        BaseConsumer::from_config(&config).map_err(|e| Error::from_kafka(&e, "create a client for single records"))
    }
}

/// One question.
struct Reading<'a> {
    client: &'a BaseConsumer,
    partition: &'a TopicPartition,
    /// The next offset that is polled; None: nothing is assigned.
    next: Option<i64>,
    deadline: Instant,
}

impl<'a> Reading<'a> {
    fn new(client: &'a BaseConsumer, partition: &'a TopicPartition) -> Self {
        Self {
            client,
            partition,
            next: None,
            deadline: Instant::now() + TIMEOUT,
        }
    }

    fn all(mut self, offsets: &[i64]) -> Result<Vec<Option<Record>>, Error> {
        // A record further on than the one that was looked for.
        let mut ahead: Option<Record> = None;
        let mut records = Vec::with_capacity(offsets.len());
        for &offset in offsets {
            if ahead.as_ref().is_none_or(|record| record.offset < offset) {
                ahead = self.at_or_after(offset)?;
            }
            records.push(ahead.take_if(|record| record.offset == offset));
        }
        Ok(records)
    }

    /// The first record from there on; None: there is none, or the offset isn't kept any more.
    fn at_or_after(&mut self, offset: i64) -> Result<Option<Record>, Error> {
        if !self.next.is_some_and(|next| (next..next + NEAR).contains(&offset)) {
            self.begin_at(offset)?;
        }
        while Instant::now() < self.deadline {
            match self.client.poll(POLL) {
                None => {}
                Some(Ok(message)) => {
                    let raw = detach(&message);
                    if *raw.topic != *self.partition.topic || raw.partition != self.partition.partition {
                        continue;
                    }
                    self.next = Some(raw.offset + 1);
                    if raw.offset >= offset {
                        return Ok(Some(Record {
                            topic: self.partition.topic.clone(),
                            partition: raw.partition,
                            offset: raw.offset,
                            timestamp_ms: raw.timestamp_ms,
                            key: raw.key,
                            value: raw.value,
                            headers: raw.headers,
                            credit: Credit::take(&Window::new(0, None), 0),
                        }));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(self.nothing()),
                Some(Err(error)) => match error.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                        return Ok(self.nothing());
                    }
                    // A leader that moves, a broker that comes back: the client goes on by itself.
                    Some(code) if Error::from_code(code, "").is_retryable() => {}
                    _ => return Err(Error::from_kafka(&error, &self.partition.to_string())),
                },
            }
        }
        Err(Error::Unreachable(format!("offset {offset} of {}", self.partition)))
    }

    /// Nothing is polled any more.
    fn nothing(&mut self) -> Option<Record> {
        self.next = None;
        None
    }

    fn begin_at(&mut self, offset: i64) -> Result<(), Error> {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(&self.partition.topic, self.partition.partition, Offset::Offset(offset))
            .map_err(|e| Error::Other(format!("offset {offset} of {}: {e}", self.partition)))?;
        self.client
            .assign(&list)
            .map_err(|e| Error::from_kafka(&e, &self.partition.to_string()))?;
        self.next = Some(offset);
        Ok(())
    }
}
