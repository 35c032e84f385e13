//! One owned partition number: reads it in all retry topics, sleeps until the first delivery is due, moves it on.

use crate::{
    Error, Options,
    batch::{MAX_RECORDS, Mover},
    housekeeping::Housekeeping,
    queue::{BLOCKED_RETRY, Due, Queue},
};
use delivery_core::tracker::Identity;
use kafka_log::{
    Admin, Commit, Connection, Item, Membership, RETRY_TIERS_SEC, ReadOptions, Reader, Start, TopicPartition,
};
use ledger::Ledger;
use runtime::{CancellationToken, clock::now_ms};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// Records on their way from the reader; what is in the queues is bounded by the windows.
const CHANNEL_RECORDS: usize = 256;
/// Longest sleep, so that housekeeping happens and a stepped clock is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
const CLUSTER_ID_TIMEOUT: Duration = Duration::from_secs(10);

/// What all workers of a process share.
pub(crate) struct Shared {
    pub connection: Connection,
    pub options: Options,
    pub ledger: Ledger,
    pub membership: Arc<Membership>,
    pub reader: Reader,
    pub admin: Admin,
}

impl Shared {
    /// The partition whose ownership stands for all retry topics' partitions of the same number.
    pub(crate) fn owned_by(&self, partition: i32) -> TopicPartition {
        TopicPartition::new(self.connection.names().retry(RETRY_TIERS_SEC[0]), partition)
    }

    /// Partition `partition` of every retry topic, in the order of the tiers.
    pub(crate) fn partitions(&self, partition: i32) -> Vec<TopicPartition> {
        let names = self.connection.names();
        RETRY_TIERS_SEC
            .iter()
            .map(|tier| TopicPartition::new(names.retry(*tier), partition))
            .collect()
    }
}

impl Shared {
    /// Whose commits these are.
    async fn identity(&self) -> Result<Identity, Error> {
        let view = self.ledger.view();
        let installation = view.installation().ok_or(Error::NoInstallation)?;
        let connection = self.connection.clone();
        let cluster_id = tokio::task::spawn_blocking(move || connection.cluster_id(CLUSTER_ID_TIMEOUT))
            .await
            .map_err(|_| kafka_log::Error::Stopped)??;
        Ok(Identity::new(&cluster_id, &installation.incarnation))
    }
}

pub(crate) struct Worker {
    shared: Arc<Shared>,
    partition: i32,
    mover: Mover,
    queues: Vec<Queue>,
    items: mpsc::Receiver<Item>,
    housekeeping: Housekeeping,
}

impl Worker {
    /// Fences the predecessor, then begins to read where it ended.
    pub(crate) async fn start(shared: Arc<Shared>, partition: i32) -> Result<Self, Error> {
        let membership = shared.membership.clone();
        let mover = Mover::start(&shared.connection, membership, partition, shared.options.lanes).await?;
        let committed = shared.membership.committed(shared.partitions(partition)).await?;
        let identity = shared.identity().await?;
        let (sink, items) = mpsc::channel(CHANNEL_RECORDS);
        let mut queues = Vec::with_capacity(committed.len());
        for (committed, tier_sec) in committed.into_iter().zip(RETRY_TIERS_SEC) {
            let start = committed.offset.map_or(Start::Beginning, Start::Offset);
            let mut read = ReadOptions::new(start);
            read.window_bytes = shared.options.window_bytes;
            let first = shared
                .reader
                .add(committed.partition.clone(), read, sink.clone())
                .await?;
            queues.push(Queue::resume(tier_sec, &committed, first, identity.clone()));
        }
        let housekeeping = Housekeeping::new(shared.clone(), partition);
        let mut worker = Self {
            shared,
            partition,
            mover,
            queues,
            items,
            housekeeping,
        };
        worker.housekeeping.keep_offsets(&worker.queues).await?;
        tracing::info!(partition, "waiting deliveries are watched");
        Ok(worker)
    }

    /// Works until it is cancelled; a transaction under way is finished first.
    pub(crate) async fn run(mut self, cancel: &CancellationToken) -> Result<(), Error> {
        while !cancel.is_cancelled() {
            let sleep = self.until_next();
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                item = self.items.recv() => match item {
                    Some(item) => self.take(item)?,
                    None => return Err(kafka_log::Error::Stopped.into()),
                },
                () = tokio::time::sleep(sleep) => {}
            }
            self.move_due(cancel).await?;
            self.housekeeping.run(&self.queues).await?;
        }
        Ok(())
    }

    fn take(&mut self, item: Item) -> Result<(), Error> {
        if let Item::Record(record) = item {
            let queue = self.queues.iter_mut().find(|queue| *queue.topic() == record.topic);
            queue.ok_or(kafka_log::Error::Stopped)?.push(record);
        }
        Ok(())
    }

    /// Takes over what has been read meanwhile.
    fn look(&mut self) -> Result<(), Error> {
        while let Ok(item) = self.items.try_recv() {
            self.take(item)?;
        }
        let view = self.shared.ledger.view();
        self.queues.iter_mut().for_each(|queue| queue.look(&*view));
        Ok(())
    }

    fn until_next(&self) -> Duration {
        let next_ms = self.queues.iter().filter_map(Queue::due_ms).min();
        let until = next_ms.map_or(LONGEST_SLEEP, |due_ms| {
            Duration::from_millis(u64::try_from(due_ms - now_ms()).unwrap_or(0))
        });
        let blocked = self.queues.iter().any(Queue::is_blocked);
        until.min(if blocked { BLOCKED_RETRY } else { LONGEST_SLEEP })
    }

    async fn move_due(&mut self, cancel: &CancellationToken) -> Result<(), Error> {
        while !cancel.is_cancelled() {
            self.look()?;
            let batch = self.collect();
            if batch.is_empty() {
                return Ok(());
            }
            let partition = self.partition;
            let offsets: Vec<_> = self
                .queues
                .iter_mut()
                .filter_map(|queue| queue.take_commit(partition))
                .collect();
            self.mover.commit(&batch, &offsets, cancel).await?;
            self.settle(&offsets);
        }
        Ok(())
    }

    /// Everything that is due now, at most as much as a transaction takes.
    fn collect(&mut self) -> Vec<Due> {
        let now_ms = now_ms();
        let mut batch = Vec::new();
        for queue in &mut self.queues {
            while batch.len() < MAX_RECORDS
                && let Some(due) = queue.pop(now_ms)
            {
                batch.push(due);
            }
        }
        batch
    }

    fn settle(&mut self, offsets: &[Commit]) {
        for commit in offsets {
            if let Some(queue) = self
                .queues
                .iter_mut()
                .find(|queue| *queue.topic() == commit.partition.topic)
            {
                queue.settled = commit.offset;
            }
        }
    }
}
