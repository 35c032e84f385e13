//! Jobs that recover endpoints, by whoever owns the office. A batch is one transaction:
//! the deliveries, their dead letters taken away, and the log's word of it. How far a job is stands in the ledger and may
//! be old; what a predecessor sent beyond it is recognised by the log, which is projected to its end before anything is
//! sent. So each is sent once, whoever dies.

mod job;
mod page;
mod send;

use crate::Error;
use history_store::Store;
use job::Running;
use kafka_log::{Connection, Positions, Watermarks};
use ledger::{Ledger, Versioned, View, Writer};
use replay::RECOVERY;
use runtime::CancellationToken;
use schemas::Job;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

/// Jobs under way in a process, each of another tenant.
const MOST_AT_ONCE: usize = 16;
/// What can't go on is tried again so soon.
const RETRY: Duration = Duration::from_secs(2);
/// How long a wait for news of the ledger lasts at most.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How often it is looked whether the projection has come to where the log ended.
const LOOK_AT_PROJECTION: Duration = Duration::from_millis(50);

/// What every job works with.
pub(crate) struct Office {
    connection: Connection,
    store: Store,
    ledger: Ledger,
    writer: Writer,
    positions: Positions,
    watermarks: Watermarks,
    stop: CancellationToken,
}

/// Does jobs as they come, until it is told to stop.
pub(crate) async fn run(connection: Connection, store: Store, ledger: Ledger, writer: Writer, stop: CancellationToken) {
    let watermarks = loop {
        match Watermarks::new(&connection) {
            Ok(watermarks) => break watermarks,
            Err(error) => tracing::warn!(%error, "jobs wait for kafka"),
        }
        if stop.run_until_cancelled(sleep(RETRY)).await.is_none() {
            return;
        }
    };
    let office = Arc::new(Office {
        positions: Positions::new(&connection),
        connection,
        store,
        ledger,
        writer,
        watermarks,
        stop,
    });
    office.run().await;
}

impl Office {
    async fn run(self: Arc<Self>) {
        let mut busy = Busy::default();
        while !self.stop.is_cancelled() {
            // Before the look: what changes after it is told.
            let mut changes = self.ledger.changes();
            for job in busy.next(&self.ledger.view()) {
                busy.begin(&self, job);
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = busy.ended() => {}
                // Whatever it says, it is looked again.
                _ = timeout(LOOK_AGAIN, changes.recv()) => {}
            }
        }
        busy.all_ended().await;
    }

    /// Does a job until it has ended, or is to be taken up again.
    async fn attend(&self, job: Versioned<Job>) {
        let id = job.id.clone();
        if let Err(error) = self.work(job).await {
            metrics::counter!("hookline_jobs_interrupted_total").increment(1);
            tracing::warn!(job = id, %error, "a job is interrupted; it goes on in a moment");
            let _ = self.stop.run_until_cancelled(sleep(RETRY)).await;
        }
    }

    async fn work(&self, job: Versioned<Job>) -> Result<(), Error> {
        let Some(mut running) = Running::start(self, job).await? else {
            return Ok(());
        };
        self.caught_up().await?;
        running.run().await
    }

    /// Waits until everything that the log holds by now is in the database.
    async fn caught_up(&self) -> Result<(), Error> {
        let topic = self.connection.names().log();
        let mut ends = Vec::new();
        for partition in 0..self.watermarks.partitions(&topic).await? {
            let (first, end) = self.watermarks.range(&topic, partition).await?;
            if first < end {
                ends.push((partition, end));
            }
        }
        while !self.stop.is_cancelled() {
            let offsets = self.store.next_offsets().await?;
            let is_there = |(partition, end): &(i32, i64)| offsets.get(partition).is_some_and(|next| next >= end);
            if ends.iter().all(is_there) {
                break;
            }
            let _ = self.stop.run_until_cancelled(sleep(LOOK_AT_PROJECTION)).await;
        }
        Ok(())
    }
}

/// Jobs under way. A tenant's go one after the other, so that none of them holds up another tenant's.
#[derive(Default)]
struct Busy {
    tasks: JoinSet<String>,
    /// The tenant of each, by the job's id.
    tenants: HashMap<String, Option<String>>,
}

impl Busy {
    /// What can begin: of each tenant the oldest, while there is room.
    fn next(&self, view: &View) -> Vec<Versioned<Job>> {
        let open = view
            .jobs()
            .filter(|job| job.kind == RECOVERY && job.status == "running");
        let mut open: Vec<&Versioned<Job>> = open.collect();
        open.sort_by_key(|job| (job.created_at_ms, job.id.clone()));
        let mut taken: HashSet<Option<String>> = self.tenants.values().cloned().collect();
        let room = MOST_AT_ONCE.saturating_sub(self.tenants.len());
        let free = open.into_iter().filter(|job| taken.insert(job.tenant.clone()));
        free.take(room).cloned().collect()
    }

    fn begin(&mut self, office: &Arc<Office>, job: Versioned<Job>) {
        let (office, id) = (office.clone(), job.id.clone());
        self.tenants.insert(id.clone(), job.tenant.clone());
        self.tasks.spawn(async move {
            office.attend(job).await;
            id
        });
    }

    /// Waits until one has ended; for ever when there is none.
    async fn ended(&mut self) {
        match self.tasks.join_next().await {
            Some(Ok(id)) => drop(self.tenants.remove(&id)),
            // A panic ends the process.
            Some(Err(error)) => tracing::error!(%error, "a job panicked"),
            None => std::future::pending().await,
        }
    }

    async fn all_ended(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
