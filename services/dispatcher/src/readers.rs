//! The readers of the process: one for lanes, one for `returns`, one for each 64 dedicated topics, and one for `health`,
//! which is read when a shard begins.
//!
//! librdkafka fetches without sessions: every fetch names every partition, so a reader of many topics is slow.

use kafka_log::{Connection, Error, Item, ReadOptions, Reader, ReaderOptions, Start, TopicPartition, WindowPool};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::{Mutex, mpsc};

/// Most dedicated topics of one reader.
const TOPICS_A_READER: usize = 64;

/// Which kind of topic a partition belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Lanes,
    Returns,
    Dedicated,
}

pub(crate) struct Readers {
    connection: Connection,
    lanes: Reader,
    returns: Reader,
    health: Reader,
    dedicated: Mutex<Dedicated>,
    windows: Arc<WindowPool>,
}

#[derive(Default)]
struct Dedicated {
    readers: Vec<(Arc<Reader>, usize)>,
    homes: HashMap<TopicPartition, usize>,
}

impl Readers {
    /// `windows`: what the windows of all dedicated topics share.
    pub(crate) fn start(connection: &Connection, windows: Arc<WindowPool>) -> Result<Self, Error> {
        let mut health = ReaderOptions::new("health");
        // Shards are taken over one after the other, and each waits for its own.
        health.fetch_wait = Duration::from_millis(10);
        Ok(Self {
            connection: connection.clone(),
            lanes: Reader::start(connection, &ReaderOptions::new("lanes"))?,
            returns: Reader::start(connection, &ReaderOptions::new("returns"))?,
            health: Reader::start(connection, &health)?,
            dedicated: Mutex::default(),
            windows,
        })
    }

    /// Begins to read; see [`Reader::add`].
    pub(crate) async fn add(
        &self,
        class: Class,
        partition: TopicPartition,
        options: ReadOptions,
        sink: mpsc::Sender<Item>,
    ) -> Result<i64, Error> {
        match class {
            Class::Lanes => self.lanes.add(partition, options, sink).await,
            Class::Returns => self.returns.add(partition, options, sink).await,
            Class::Dedicated => {
                let reader = self.place(&partition).await?;
                let options = ReadOptions {
                    pool: Some(self.windows.clone()),
                    ..options
                };
                let added = reader.add(partition.clone(), options, sink).await;
                if added.is_err() {
                    self.free(&partition).await;
                }
                added
            }
        }
    }

    /// Stops reading; nothing more arrives when it returns.
    pub(crate) async fn remove(&self, class: Class, partitions: Vec<TopicPartition>) {
        match class {
            Class::Lanes => self.lanes.remove(partitions).await,
            Class::Returns => self.returns.remove(partitions).await,
            Class::Dedicated => {
                for partition in partitions {
                    if let Some(reader) = self.free(&partition).await {
                        reader.remove(vec![partition]).await;
                    }
                }
            }
        }
    }

    /// Reads a partition of `health` from its beginning, and says how far it has come.
    pub(crate) async fn add_health(&self, partition: TopicPartition, sink: mpsc::Sender<Item>) -> Result<(), Error> {
        let options = ReadOptions {
            report_reached: true,
            ..ReadOptions::new(Start::Beginning)
        };
        self.health.add(partition, options, sink).await.map(drop)
    }

    pub(crate) async fn remove_health(&self, partition: TopicPartition) {
        self.health.remove(vec![partition]).await;
    }

    async fn place(&self, partition: &TopicPartition) -> Result<Arc<Reader>, Error> {
        let mut pool = self.dedicated.lock().await;
        if let Some(home) = pool.homes.get(partition) {
            return Ok(pool.readers[*home].0.clone());
        }
        let home = match pool.readers.iter().position(|(_, topics)| *topics < TOPICS_A_READER) {
            Some(home) => home,
            None => {
                let mut options = ReaderOptions::new(format!("dedicated {}", pool.readers.len()));
                options.fetch_bytes = 256 << 10;
                pool.readers
                    .push((Arc::new(Reader::start(&self.connection, &options)?), 0));
                pool.readers.len() - 1
            }
        };
        pool.readers[home].1 += 1;
        pool.homes.insert(partition.clone(), home);
        Ok(pool.readers[home].0.clone())
    }

    async fn free(&self, partition: &TopicPartition) -> Option<Arc<Reader>> {
        let mut pool = self.dedicated.lock().await;
        let home = pool.homes.remove(partition)?;
        pool.readers[home].1 -= 1;
        Some(pool.readers[home].0.clone())
    }
}
