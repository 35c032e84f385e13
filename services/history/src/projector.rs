//! From the log into the database: what has been read of all owned partitions, batch after batch.

use crate::{Error, Options, intake::Intake};
use history_store::Store;
use kafka_log::{Commit, Item, Membership, ReadOptions, Reader, Start, TopicPartition};
use ledger::Ledger;
use runtime::{
    CancellationToken,
    oldest_waiting::{Class, Seat},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout_at},
};

/// Of one partition of the log, read ahead.
const WINDOW_BYTES: usize = 4 << 20;
const CHANNEL_RECORDS: usize = 4_096;
/// What can't be written yet is tried again so soon.
const RETRY: Duration = Duration::from_secs(1);
/// How often the offsets in Kafka, which nobody goes by, are brought up to date.
const COMMIT_EVERY: Duration = Duration::from_secs(5);

pub(crate) struct Projector {
    store: Store,
    ledger: Ledger,
    membership: Arc<Membership>,
    reader: Reader,
    topic: Arc<str>,
    options: Options,
    intake: Intake,
    sink: mpsc::Sender<Item>,
    items: mpsc::Receiver<Item>,
    oldest: Seat,
    /// By partition, what isn't committed to Kafka yet.
    uncommitted: BTreeMap<i32, i64>,
    commit_at: Instant,
}

impl Projector {
    pub(crate) fn new(
        store: Store,
        ledger: Ledger,
        membership: Arc<Membership>,
        reader: Reader,
        topic: Arc<str>,
        options: Options,
    ) -> Self {
        let (sink, items) = mpsc::channel(CHANNEL_RECORDS);
        Self {
            store,
            ledger,
            membership,
            reader,
            topic,
            options,
            intake: Intake::default(),
            sink,
            items,
            oldest: Seat::take(Class::Log),
            uncommitted: BTreeMap::new(),
            commit_at: Instant::now(),
        }
    }

    /// Begins to project partitions where the database stands.
    pub(crate) async fn begin(&mut self, partitions: &[i32]) -> Result<(), Error> {
        let offsets = self.store.next_offsets().await?;
        for &partition in partitions {
            let from = offsets.get(&partition).copied();
            let mut options = ReadOptions::new(from.map_or(Start::Beginning, Start::Offset));
            options.window_bytes = WINDOW_BYTES;
            options.report_reached = true;
            let at = TopicPartition::new(self.topic.clone(), partition);
            let first = self.reader.add(at, options, self.sink.clone()).await?;
            self.intake.begin(partition, from, first);
            tracing::info!(partition, offset = first, "the log is projected");
        }
        Ok(())
    }

    /// Gives partitions up: what isn't in the database is read by their next owner.
    pub(crate) async fn end(&mut self, partitions: &[i32]) {
        let at = partitions.iter().map(|p| TopicPartition::new(self.topic.clone(), *p));
        self.reader.remove(at.collect()).await;
        // Nothing more of them arrives, and what is in the channel must not be taken for what is read when they come back.
        while let Ok(item) = self.items.try_recv() {
            self.take(item);
        }
        for partition in partitions {
            self.intake.end(*partition);
        }
        self.uncommitted.retain(|partition, _| !partitions.contains(partition));
    }

    /// Takes what has been read, and writes it. Dropping it in between loses nothing.
    pub(crate) async fn step(&mut self) -> Result<(), Error> {
        let Some(item) = self.items.recv().await else {
            return Err(kafka_log::Error::Stopped.into());
        };
        self.take(item);
        Ok(())
    }

    /// Reads on for a moment, then writes what there is. `stop` ends the waiting for a database that isn't there.
    pub(crate) async fn flush(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        let until = Instant::now() + self.options.linger;
        let mut read = 0;
        while read < self.options.batch_records {
            match timeout_at(until, self.items.recv()).await {
                Ok(Some(item)) => self.take(item),
                Ok(None) => return Err(kafka_log::Error::Stopped.into()),
                Err(_) => break,
            }
            read += 1;
        }
        self.oldest.set(self.intake.oldest_ms());
        while self.write(stop).await? && !stop.is_cancelled() {}
        self.oldest.set(self.intake.oldest_ms());
        self.commit().await;
        Ok(())
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Record(record) => self.intake.push(record),
            Item::Reached { partition, offset } => self.intake.reached(partition.partition, offset),
        }
    }

    /// One batch; whether there may be more.
    async fn write(&mut self, stop: &CancellationToken) -> Result<bool, Error> {
        let (batch, records) = self.intake.batch(self.options.batch_records, &*self.ledger.view());
        if batch.is_empty() {
            return Ok(false);
        }
        let began = Instant::now();
        runtime::crash_point("history.before_write");
        loop {
            match self.store.write(&batch).await {
                Ok(()) => break,
                Err(error @ history_store::Error::Overtaken { .. }) => {
                    tracing::warn!(%error, "the history goes on from where the database stands");
                    let all = self.intake.partitions();
                    self.end(&all).await;
                    self.begin(&all).await?;
                    return Ok(false);
                }
                Err(error) if error.is_retryable() => {
                    metrics::counter!("hookline_history_write_failures_total").increment(1);
                    tracing::warn!(%error, "the history waits for its database");
                }
                Err(error) => return Err(error.into()),
            }
            if stop.run_until_cancelled(sleep(RETRY)).await.is_none() {
                return Ok(false);
            }
        }
        runtime::crash_point("history.after_write");
        metrics::histogram!("hookline_history_batch_seconds").record(began.elapsed());
        metrics::counter!("hookline_history_records_total").increment(records as u64);
        self.intake.written(&batch.reached);
        for reached in &batch.reached {
            self.uncommitted.insert(reached.partition, reached.to);
        }
        Ok(records >= self.options.batch_records)
    }

    /// For those who watch the lag: nobody reads on from these.
    async fn commit(&mut self) {
        if Instant::now() < self.commit_at || self.uncommitted.is_empty() {
            return;
        }
        self.commit_at = Instant::now() + COMMIT_EVERY;
        let commits = std::mem::take(&mut self.uncommitted);
        let commits = commits.into_iter().map(|(partition, offset)| {
            let partition = TopicPartition::new(self.topic.clone(), partition);
            let commit = Commit {
                partition: partition.clone(),
                offset,
                metadata: String::new(),
            };
            (partition, vec![commit])
        });
        if let Err(error) = self.membership.commit(commits.collect()).await {
            tracing::debug!(%error, "how far the history is can't be committed; it stands in its database");
        }
    }
}
