//! One owned source partition: batch after batch, each committed only when everything that follows from it is
//! acknowledged.

use crate::{
    BatchLimits, Error, StartAt, batch,
    batch::Batch,
    judge::{Rules, judge},
    measure,
    slice::{Output, Slice},
};
use event_model::SourceSettings;
use kafka_log::{Commit, Item, Membership, Reader, TopicPartition};
use runtime::{
    clock::now_ms,
    crash_point,
    oldest_waiting::{Class, Seat},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

/// How often an idle partition reports the ledger version that it has reached.
const REPORT_EVERY: Duration = Duration::from_secs(5);
const COMMIT_RETRY: Duration = Duration::from_millis(500);
/// The same while the brokers refuse what somebody has to mend.
const REFUSED_RETRY: Duration = Duration::from_secs(5);
/// After so many records the task lets others run.
const YIELD_AFTER: usize = 16;

/// What all partitions of a process share.
pub(crate) struct Shared {
    pub(crate) membership: Membership,
    pub(crate) reader: Reader,
    pub(crate) output: Output,
    pub(crate) limits: BatchLimits,
    pub(crate) rules: Rules,
}

/// A source as a worker reads it.
#[derive(Debug, Clone)]
pub(crate) struct ReadSource {
    pub(crate) settings: SourceSettings,
    pub(crate) start: StartAt,
}

pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) partition: TopicPartition,
    pub(crate) source: ReadSource,
    pub(crate) stop: CancellationToken,
    pub(crate) sink: mpsc::Sender<Item>,
    items: mpsc::Receiver<Item>,
    /// Everything below is done.
    pub(crate) next: i64,
    /// Since when what isn't done has waited.
    oldest: Seat,
    /// The offset and the ledger version last committed.
    committed: Option<(i64, i64)>,
}

impl Worker {
    pub(crate) fn new(
        shared: Arc<Shared>,
        partition: TopicPartition,
        source: ReadSource,
        stop: CancellationToken,
    ) -> Self {
        let (sink, items) = mpsc::channel(shared.limits.max_records.max(64));
        Self {
            shared,
            partition,
            source,
            stop,
            sink,
            items,
            next: 0,
            oldest: Seat::take(Class::Source),
            committed: None,
        }
    }

    /// Works until it is told to stop, after the batch under way, or the partition is no longer owned. Dropping it
    /// commits nothing more.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        match self.work().await {
            Err(Error::Stopped) => Ok(()),
            other => other,
        }
    }

    async fn work(&mut self) -> Result<(), Error> {
        self.begin().await?;
        let mut report = interval(REPORT_EVERY);
        report.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                batch = batch::take(&mut self.items, &self.shared.limits) => match batch {
                    Some(batch) => self.process(batch).await?,
                    None => return Ok(()),
                },
                _ = report.tick() => self.report().await?,
            }
        }
    }

    async fn process(&mut self, batch: Batch) -> Result<(), Error> {
        if batch.records.is_empty() {
            self.next = self.next.max(batch.next);
            self.look_for_waiting();
            return Ok(());
        }
        let began = Instant::now();
        self.oldest.set(batch.records.first().map(|record| record.timestamp_ms));
        let shared = self.shared.clone();
        let snapshot = shared.output.projection.current(&self.stop).await?;
        let mut slice = Slice::default();
        for (count, record) in batch.records.into_iter().enumerate() {
            let next = record.offset + 1;
            self.go_back(record.offset);
            let verdict = judge(&record, &self.source.settings, &snapshot, shared.rules, now_ms());
            slice.add(verdict, record.credit, &shared.output).await?;
            if slice.under_way() >= shared.limits.max_deliveries {
                self.finish(std::mem::take(&mut slice), next, snapshot.ledger_version)
                    .await?;
            }
            if count % YIELD_AFTER == YIELD_AFTER - 1 {
                tokio::task::yield_now().await;
            }
        }
        self.finish(slice, batch.next, snapshot.ledger_version).await?;
        measure::batch(began.elapsed());
        self.look_for_waiting();
        Ok(())
    }

    /// Does so when its topic was made again.
    fn go_back(&mut self, offset: i64) {
        if offset < self.next {
            tracing::error!(partition = %self.partition, from = self.next, offset, "the log begins again");
            self.next = offset;
        }
    }

    /// What has been read meanwhile is younger than what is done, and says how old it is when it is its turn.
    fn look_for_waiting(&self) {
        if self.items.is_empty() {
            self.oldest.set(None);
        }
    }

    /// Everything acknowledged, then the offset (invariant 2).
    async fn finish(&mut self, mut slice: Slice, next: i64, ledger_version: i64) -> Result<(), Error> {
        if !slice.is_empty() {
            crash_point("fanout.after_produce");
            slice.settle(&self.shared.output, &self.stop).await?;
            delivery_core::invariant!(2, slice.is_settled(), "{} up to {next}", self.partition);
            crash_point("fanout.after_acks");
        }
        delivery_core::invariant!(2, next >= self.next, "{} goes back to {next}", self.partition);
        self.next = next;
        self.commit(ledger_version).await?;
        crash_point("fanout.after_commit");
        Ok(())
    }

    /// Tells how far the ledger is taken into account, also while nothing is published.
    async fn report(&mut self) -> Result<(), Error> {
        let ledger_version = self.shared.output.projection.ledger_version();
        if self.committed == Some((self.next, ledger_version)) {
            return Ok(());
        }
        self.commit(ledger_version).await
    }

    /// Commits as the partition's owner; [`Error::Stopped`] when it is that no longer.
    pub(crate) async fn commit(&mut self, ledger_version: i64) -> Result<(), Error> {
        let commit = Commit {
            partition: self.partition.clone(),
            offset: self.next,
            metadata: format!("v1|{ledger_version}"),
        };
        loop {
            let entry = (self.partition.clone(), vec![commit.clone()]);
            let pause = match self.shared.membership.commit(vec![entry]).await {
                Ok(made) if made.is_empty() => return Err(Error::Stopped),
                Ok(_) => {
                    self.committed = Some((self.next, ledger_version));
                    return Ok(());
                }
                // Refused while the group is being rebalanced, and the partition may well stay here: when it does, nobody
                // says so again. When it doesn't, the next commit isn't made.
                Err(error) if error.is_retryable() || error.is_fenced() => {
                    tracing::warn!(partition = %self.partition, %error, "committing again");
                    COMMIT_RETRY
                }
                Err(error) if error.is_refusal() => {
                    error.raise("what is done can't be committed");
                    REFUSED_RETRY
                }
                Err(error) => return Err(error.into()),
            };
            tokio::select! {
                () = self.stop.cancelled() => return Err(Error::Stopped),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}
