//! One partition of the dead letters as it is now: only the last record of each id counts, in two passes, so that memory
//! holds keys' hashes and not the letters.

use crate::Error;
use kafka_log::{Connection, Item, ReadOptions, Reader, ReaderOptions, Record, Start, TopicPartition, Watermarks};
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc;

/// Longest wait for the next record while there is one.
const STALLED: Duration = Duration::from_secs(60);
/// Partitions are added one after the other, each behind the fetch that is under way.
const FETCH_WAIT: Duration = Duration::from_millis(10);
const WINDOW_BYTES: usize = 4 << 20;
const CHANNEL_RECORDS: usize = 256;

/// The topic.
pub(crate) struct DeadLetters {
    reader: Reader,
    watermarks: Watermarks,
    topic: Arc<str>,
    pub(crate) partitions: i32,
    hashers: (RandomState, RandomState),
}

impl DeadLetters {
    pub(crate) async fn open(connection: &Connection) -> Result<Self, Error> {
        let topic: Arc<str> = connection.names().dlq().into();
        let watermarks = Watermarks::new(connection)?;
        let partitions = watermarks.partitions(&topic).await?;
        let mut reading = ReaderOptions::new("dlq");
        reading.fetch_wait = FETCH_WAIT;
        let reader = Reader::start(connection, &reading)?;
        Ok(Self {
            reader,
            watermarks,
            topic,
            partitions,
            hashers: (RandomState::new(), RandomState::new()),
        })
    }

    /// What is dead in a partition, up to its end at this moment.
    pub(crate) async fn live(&self, partition: i32) -> Result<Live<'_>, Error> {
        let (_, end) = self.watermarks.range(&self.topic, partition).await?;
        let mut latest = HashMap::new();
        let mut records = self.read(partition, end).await?;
        while let Some(record) = records.next().await? {
            let Some(key) = &record.key else { continue };
            let hash = self.hash(key);
            if record.value.is_some() {
                latest.insert(hash, record.offset);
            } else {
                latest.remove(&hash);
            }
        }
        let records = if latest.is_empty() {
            None
        } else {
            Some(self.read(partition, end).await?)
        };
        Ok(Live {
            letters: self,
            latest,
            records,
        })
    }

    /// Two independent 64-bit hashes: ids that share both don't occur.
    fn hash(&self, key: &[u8]) -> (u64, u64) {
        (self.hashers.0.hash_one(key), self.hashers.1.hash_one(key))
    }

    async fn read(&self, partition: i32, end: i64) -> Result<Records, Error> {
        let (sink, items) = mpsc::channel(CHANNEL_RECORDS);
        let options = ReadOptions {
            start: Start::Beginning,
            window_bytes: WINDOW_BYTES,
            report_reached: true,
        };
        let next = self
            .reader
            .add(
                TopicPartition {
                    topic: self.topic.clone(),
                    partition,
                },
                options,
                sink,
            )
            .await?;
        Ok(Records {
            items,
            partition,
            next,
            end,
        })
    }
}

/// The dead letters of one partition, in its order.
pub(crate) struct Live<'a> {
    letters: &'a DeadLetters,
    latest: HashMap<(u64, u64), i64>,
    records: Option<Records>,
}

impl Live<'_> {
    pub(crate) async fn next(&mut self) -> Result<Option<Record>, Error> {
        let Some(records) = &mut self.records else {
            return Ok(None);
        };
        while let Some(record) = records.next().await? {
            let hash = record.key.as_ref().map(|key| self.letters.hash(key));
            if hash.is_some_and(|hash| self.latest.get(&hash) == Some(&record.offset)) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}

/// All records of one partition below an end.
struct Records {
    items: mpsc::Receiver<Item>,
    partition: i32,
    next: i64,
    end: i64,
}

impl Records {
    async fn next(&mut self) -> Result<Option<Record>, Error> {
        while self.next < self.end {
            let stalled = Error::Stalled {
                partition: self.partition,
            };
            match tokio::time::timeout(STALLED, self.items.recv()).await {
                Ok(Some(Item::Record(record))) if record.offset >= self.end => self.next = self.end,
                Ok(Some(Item::Record(record))) => {
                    self.next = record.offset + 1;
                    return Ok(Some(record));
                }
                Ok(Some(Item::Reached { offset, .. })) => self.next = self.next.max(offset),
                Ok(None) => return Err(kafka_log::Error::Stopped.into()),
                Err(_) => return Err(stalled),
            }
        }
        Ok(None)
    }
}
