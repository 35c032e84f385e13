//! One partition of the dead letters as it is now, in two passes, so that memory holds keys' hashes and not the letters.
//!
//! The rule: of each delivery the highest generation that stands in the partition counts, and of that one the last
//! record. A letter there is dead; a mark (a record without content, which a replay leaves under the next generation's
//! key) says that it isn't. So a letter that a dispatcher which stood still writes after a replay changes nothing, and
//! compaction, which goes by key, can't let it take the place of what came later.

use crate::Error;
use kafka_log::{Connection, Item, ReadOptions, Reader, ReaderOptions, Record, Start, TopicPartition, Watermarks};
use schemas::{DeadLetter, WriterSchemas};
use std::{
    collections::{HashMap, hash_map::Entry},
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
    pub(crate) async fn live(&self, partition: i32, schemas: &dyn WriterSchemas) -> Result<Live<'_>, Error> {
        let (_, end) = self.watermarks.range(&self.topic, partition).await?;
        let mut latest = Latest::default();
        let mut records = self.read(partition, end).await?;
        while let Some(record) = records.next().await? {
            let Some(key) = &record.key else { continue };
            let (id, generation) = DeadLetter::split_key(key);
            latest.note(self.hash(id), generation, &record, schemas);
        }
        let records = if latest.holds_letters() {
            Some(self.read(partition, end).await?)
        } else {
            None
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
            window_bytes: WINDOW_BYTES,
            report_reached: true,
            ..ReadOptions::new(Start::Beginning)
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
    latest: Latest,
    records: Option<Records>,
}

impl Live<'_> {
    pub(crate) async fn next(&mut self) -> Result<Option<Record>, Error> {
        let Some(records) = &mut self.records else {
            return Ok(None);
        };
        while let Some(record) = records.next().await? {
            let Some(key) = &record.key else { continue };
            let hash = self.letters.hash(DeadLetter::split_key(key).0);
            if self.latest.is_letter_at(hash, record.offset) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}

type Hash = (u64, u64);

/// The highest generation of each delivery, by the hash of its id.
#[derive(Default)]
struct Latest(HashMap<Hash, Newest>);

struct Newest {
    generation: i32,
    /// Offset, and the generation that its key names; None: it isn't dead.
    letter: Option<(i64, i32)>,
}

impl Latest {
    fn note(&mut self, hash: Hash, named: i32, record: &Record, schemas: &dyn WriterSchemas) {
        let Some(value) = &record.value else {
            return self.forget(hash, named);
        };
        let letter = (!value.is_empty()).then_some((record.offset, named));
        match self.0.entry(hash) {
            Entry::Vacant(vacant) => {
                vacant.insert(Newest {
                    generation: named,
                    letter,
                });
            }
            Entry::Occupied(mut known) if named >= known.get().generation => {
                known.insert(Newest {
                    generation: named,
                    letter,
                });
            }
            // Up to v0.1.0 keys named no generation: the letter itself does. What can't be read may be such a one.
            Entry::Occupied(mut known) => {
                let newest = known.get().generation;
                let generation =
                    schemas::decode::<DeadLetter>(value, schemas).map_or(newest, |letter| letter.delivery.generation);
                if letter.is_some() && generation >= newest {
                    known.insert(Newest { generation, letter });
                }
            }
        }
    }

    /// The record with this key is gone. That a generation was reached stays known: what came before it is history.
    fn forget(&mut self, hash: Hash, named: i32) {
        let Entry::Occupied(mut known) = self.0.entry(hash) else {
            return;
        };
        if known.get().letter.is_some_and(|(_, key)| key == named) {
            known.get_mut().letter = None;
            if known.get().generation <= 0 {
                known.remove();
            }
        }
    }

    fn is_letter_at(&self, hash: Hash, offset: i64) -> bool {
        let newest = self.0.get(&hash);
        newest.is_some_and(|newest| newest.letter.is_some_and(|(at, _)| at == offset))
    }

    fn holds_letters(&self) -> bool {
        self.0.values().any(|newest| newest.letter.is_some())
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
