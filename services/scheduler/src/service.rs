//! Membership in the schedulers' group: starts and stops the worker of each partition number as ownership changes.

use crate::{
    Error, Options,
    janitor::Janitor,
    worker::{Shared, Worker},
};
use kafka_log::{
    Admin, Connection, Membership, MembershipOptions, Ownership, RETRY_TIERS_SEC, Reader, ReaderOptions, TopicPartition,
};
use ledger::Ledger;
use runtime::CancellationToken;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle};

/// How long a stopped worker may take to end the transaction that is under way. Its successor fences it after that.
const REVOKE_PATIENCE: Duration = Duration::from_millis(1200);
const STOP_PATIENCE: Duration = Duration::from_secs(10);
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LAST_BACKOFF: Duration = Duration::from_secs(10);
/// A fetch is smaller than the window that it fills.
const FETCH_BYTES: usize = 256 << 10;
/// Whose owner runs the janitor.
const JANITOR_PARTITION: i32 = 0;

/// The role.
#[derive(Debug)]
pub struct Service;

struct Running {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Service {
    /// Runs until `shutdown` is cancelled; then ends the transactions under way and leaves the group.
    ///
    /// # Errors
    /// When it can't begin. What goes wrong later is logged and tried again.
    pub async fn run(
        connection: &Connection,
        options: Options,
        ledger: Ledger,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let names = connection.names();
        let mut member = MembershipOptions::new(names.scheduler_group(), vec![names.retry(RETRY_TIERS_SEC[0])]);
        member.instance_id.clone_from(&options.instance_id);
        let mut reading = ReaderOptions::new("retry");
        reading.fetch_bytes = FETCH_BYTES.min(options.window_bytes);
        let (membership, ownership) = Membership::join(connection, &member)?;
        let shared = Arc::new(Shared {
            connection: connection.clone(),
            options,
            ledger,
            membership: Arc::new(membership),
            reader: Reader::start(connection, &reading)?,
            admin: Admin::new(connection)?,
        });
        let mut owner = Owner {
            shared,
            running: HashMap::new(),
        };
        let ended = owner.follow(ownership, &shutdown).await;
        owner.end().await;
        ended
    }
}

struct Owner {
    shared: Arc<Shared>,
    running: HashMap<i32, Running>,
}

impl Owner {
    async fn follow(
        &mut self,
        mut ownership: mpsc::Receiver<Ownership>,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        loop {
            let event = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                event = ownership.recv() => event.ok_or(Error::MembershipEnded)?,
            };
            match event {
                Ownership::Assigned(partitions) => self.begin(&partitions),
                Ownership::Revoked(partitions, answer) => {
                    self.stop(numbers(&partitions), REVOKE_PATIENCE).await;
                    // Offsets were committed with the transactions. Whoever asked may have given up waiting.
                    let _ = answer.send(Vec::new());
                }
                Ownership::Lost(partitions) => {
                    tracing::warn!(?partitions, "retry partitions were lost to another scheduler");
                    self.stop(numbers(&partitions), REVOKE_PATIENCE).await;
                }
            }
        }
    }

    fn begin(&mut self, partitions: &[TopicPartition]) {
        for partition in numbers(partitions) {
            let cancel = CancellationToken::new();
            let task = tokio::spawn(own(self.shared.clone(), partition, cancel.clone()));
            if let Some(former) = self.running.insert(partition, Running { cancel, task }) {
                former.cancel.cancel();
            }
        }
    }

    async fn stop(&mut self, partitions: Vec<i32>, patience: Duration) {
        let stopped: Vec<(i32, Running)> = partitions
            .into_iter()
            .filter_map(|partition| Some((partition, self.running.remove(&partition)?)))
            .collect();
        for (_, running) in &stopped {
            running.cancel.cancel();
        }
        let deadline = tokio::time::Instant::now() + patience;
        for (partition, running) in stopped {
            match tokio::time::timeout_at(deadline, running.task).await {
                Ok(Ok(())) => self.shared.reader.remove(self.shared.partitions(partition)).await,
                Ok(Err(error)) => tracing::error!(partition, %error, "a worker panicked"),
                // It ends with its transaction, or is fenced; its partitions go when its channel closes.
                Err(_) => tracing::warn!(partition, "a transaction is still under way while its partition moves"),
            }
        }
    }

    async fn end(mut self) {
        let all = self.running.keys().copied().collect();
        self.stop(all, STOP_PATIENCE).await;
        self.shared.membership.leave().await;
    }
}

fn numbers(partitions: &[TopicPartition]) -> Vec<i32> {
    partitions.iter().map(|partition| partition.partition).collect()
}

/// Works on one partition number for as long as it is owned, whatever goes wrong in between.
async fn own(shared: Arc<Shared>, partition: i32, cancel: CancellationToken) {
    let janitor = (partition == JANITOR_PARTITION).then(|| tokio::spawn(clean(shared.clone(), cancel.clone())));
    let mut backoff = FIRST_BACKOFF;
    while !cancel.is_cancelled() {
        let began = tokio::time::Instant::now();
        let Err(error) = work(&shared, partition, &cancel).await else {
            break;
        };
        if cancel.is_cancelled() || !shared.membership.owns(&shared.owned_by(partition)) {
            tracing::info!(partition, %error, "another scheduler has taken this partition over");
            break;
        }
        if began.elapsed() > LAST_BACKOFF {
            backoff = FIRST_BACKOFF;
        }
        metrics::counter!("hookline_scheduler_restarts_total").increment(1);
        if let Error::Kafka(refused) = &error
            && refused.is_refusal()
        {
            refused.raise("a partition of the retry topics can't be worked on");
        }
        tracing::error!(partition, %error, retry_in = ?backoff, "waiting deliveries of this partition are not released");
        // A cancelled wait ends the loop.
        let _ = cancel.run_until_cancelled(tokio::time::sleep(backoff)).await;
        backoff = (backoff * 2).min(LAST_BACKOFF);
    }
    cancel.cancel();
    if let Some(janitor) = janitor
        && let Err(error) = janitor.await
    {
        tracing::error!(%error, "the janitor panicked");
    }
}

async fn work(shared: &Arc<Shared>, partition: i32, cancel: &CancellationToken) -> Result<(), Error> {
    match cancel
        .run_until_cancelled(Worker::start(shared.clone(), partition))
        .await
    {
        Some(worker) => worker?.run(cancel).await,
        None => Ok(()),
    }
}

async fn clean(shared: Arc<Shared>, cancel: CancellationToken) {
    match Janitor::new(&shared) {
        Ok(janitor) => {
            // Cancelled between two calls to Kafka: each of them stands for itself.
            let _ = cancel.run_until_cancelled(janitor.run()).await;
        }
        Err(error) => tracing::error!(%error, "the janitor can't begin; topics of deleted endpoints stay"),
    }
}
