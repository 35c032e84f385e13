//! Reading partitions by manual assignment, on a thread of its own, into bounded channels.
//!
//! Each partition has a window of bytes: what is read and not yet dropped by the receiver. A full window pauses the
//! partition, a quarter resumes it, and the client goes on polling meanwhile. Only committed records arrive.

mod gaps;
pub(crate) mod message;
mod reached;
mod readings;
mod starting;
mod worker;

use crate::{Connection, Error, Record, TopicPartition, WindowPool};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};
use worker::Offsets;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At this offset, or the next one after it.
    Offset(i64),
    /// At the first record kept.
    Beginning,
    /// After the last record there is now.
    End,
    /// At the first record with this timestamp (Unix milliseconds) or a later one; after the last when there is none.
    Time(i64),
}

/// What a receiver gets.
#[derive(Debug)]
pub enum Item {
    Record(Record),
    /// Everything below this offset of this partition has been delivered (also what only holds transaction markers).
    Reached {
        partition: TopicPartition,
        offset: i64,
    },
}

/// Settings of one reader.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    /// Names the thread.
    pub name: String,
    /// Most bytes that the client fetches ahead for all partitions together.
    pub prefetch_bytes: usize,
    /// Most bytes of one fetch of one partition.
    pub fetch_bytes: usize,
    /// How long a broker may hold an answer back while there is nothing to send. A partition that is added meanwhile
    /// waits for it too: short for whoever adds one after the other, long where reading goes on for ever.
    pub fetch_wait: Duration,
}

impl ReaderOptions {
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            prefetch_bytes: 16 << 20,
            fetch_bytes: 1 << 20,
            fetch_wait: Duration::from_millis(100),
        }
    }
}

/// How one partition is read.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    pub start: Start,
    /// Most bytes read and not yet dropped by the receiver (one record more may be).
    pub window_bytes: usize,
    /// What all that share it may hold together bounds the window, too.
    pub pool: Option<Arc<WindowPool>>,
    /// Whether [`Item::Reached`] is wanted.
    pub report_reached: bool,
}

impl ReadOptions {
    pub fn new(start: Start) -> Self {
        Self {
            start,
            window_bytes: 4 << 20,
            pool: None,
            report_reached: false,
        }
    }
}

pub(crate) enum Command {
    /// From this offset on.
    Add(
        TopicPartition,
        ReadOptions,
        i64,
        mpsc::Sender<Item>,
        oneshot::Sender<Result<(), Error>>,
    ),
    Remove(Vec<TopicPartition>, oneshot::Sender<()>),
}

/// A set of partitions being read. Stops when dropped.
pub struct Reader {
    commands: mpsc::Sender<Command>,
    offsets: Arc<Offsets>,
}

impl Reader {
    pub fn start(connection: &Connection, options: &ReaderOptions) -> Result<Self, Error> {
        let (commands, receiver) = mpsc::channel(1024);
        let offsets = worker::spawn(connection, options, receiver)?;
        Ok(Self { commands, offsets })
    }

    /// Begins to read a partition into `sink` and returns the offset it begins at. A gap between the wanted offset and
    /// the first one kept is counted (`hookline_lost_records_total`) and logged as an error, then passed over. When
    /// `sink` is closed the partition is removed.
    pub async fn add(
        &self,
        partition: TopicPartition,
        options: ReadOptions,
        sink: mpsc::Sender<Item>,
    ) -> Result<i64, Error> {
        // Beside the thread that reads: a broker that doesn't answer must not hold up the others' partitions.
        let (offsets, asked, start) = (self.offsets.clone(), partition.clone(), options.start);
        let start = tokio::task::spawn_blocking(move || starting::offset(&offsets, &asked, start))
            .await
            .map_err(|_| Error::Stopped)??;
        let (done, answer) = oneshot::channel();
        self.commands
            .send(Command::Add(partition, options, start, sink, done))
            .await
            .map_err(|_| Error::Stopped)?;
        answer.await.map_err(|_| Error::Stopped)??;
        Ok(start)
    }

    /// Stops reading these partitions; when it returns, nothing more of them arrives.
    pub async fn remove(&self, partitions: Vec<TopicPartition>) {
        let (done, answer) = oneshot::channel();
        if self.commands.send(Command::Remove(partitions, done)).await.is_ok() {
            // An error means that the thread has ended: then nothing arrives either.
            let _ = answer.await;
        }
    }
}
