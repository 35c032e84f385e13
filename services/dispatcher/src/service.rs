//! The role: joins the group, and starts and stops shards as they come and go.

use crate::{
    Error, Options,
    budget::Budget,
    commit::Committer,
    context::Context,
    housekeeping::Housekeeping,
    pulse::Pulse,
    readers::Readers,
    shard::{Handle, Shard},
    target::Targets,
};
use delivery_core::tracker::Identity;
use kafka_log::{
    Admin, Commit, Connection, Membership, MembershipOptions, Ownership, Producer, TopicPartition, Watermarks,
};
use ledger::{Change, Keyring, Kind, Ledger, Writer};
use runtime::CancellationToken;
use std::{
    collections::HashMap,
    sync::{Arc, mpsc as std_mpsc},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, broadcast, mpsc, watch},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};

/// How long a log record waits for others: what it holds up is a commit, not the next request, and brokers
/// work by the batch.
const LOG_LINGER: Duration = Duration::from_millis(10);
/// How long requests may still run when a joiner is to get their shard.
const REVOKE_GRACE: Duration = Duration::from_millis(1000);
/// How long after that the membership waits for the last commits.
const REVOKE_MARGIN: Duration = Duration::from_millis(500);
const MEASURE_EVERY: Duration = Duration::from_secs(1);
/// Tries of a shard's last commit, and the pause between them.
const LAST_COMMIT_TRIES: usize = 20;
const LAST_COMMIT_PAUSE: Duration = Duration::from_millis(100);

/// The role `dispatcher`.
pub struct Service {
    ctx: Arc<Context>,
    membership: Arc<Membership>,
    ownership: mpsc::Receiver<Ownership>,
    changes: broadcast::Receiver<Arc<Change>>,
    shards: HashMap<i32, Handle>,
    /// The last task of every shard that was ever ours: the next one begins when it has ended.
    tasks: HashMap<i32, JoinHandle<()>>,
}

impl Service {
    /// Runs until `shutdown`, then drains: what is in flight is finished and committed before the group is left.
    ///
    /// # Errors
    /// What can't be mended by trying again inside: wrong settings, or Kafka unreachable at the start.
    pub async fn run(
        connection: &Connection,
        options: Options,
        ledger: Ledger,
        writer: Writer,
        keyring: Keyring,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let service = Self::start(connection, options, ledger, writer, keyring).await?;
        service.serve(shutdown).await
    }

    async fn start(
        connection: &Connection,
        options: Options,
        ledger: Ledger,
        writer: Writer,
        keyring: Keyring,
    ) -> Result<Self, Error> {
        let names = connection.names().clone();
        let identity = identity(connection, &options, &ledger).await?;
        // Before the first shard opens its streams, so that no change of an endpoint is missed.
        let changes = ledger.changes();
        let membership_options = MembershipOptions {
            instance_id: options.instance_id.clone(),
            revoke_timeout: REVOKE_GRACE + REVOKE_MARGIN,
            ..MembershipOptions::new(names.dispatcher_group(), vec![names.lanes()])
        };
        let client = egress::Client::new(options.egress.clone()).map_err(|e| Error::Egress(e.to_string()))?;
        let (membership, ownership) = Membership::join(connection, &membership_options)?;
        let membership = Arc::new(membership);
        let budget = Budget::new(options.max_buffered_bytes);
        let ctx = Context {
            names,
            ledger,
            writer,
            watermarks: Watermarks::new(connection)?,
            targets: Targets::new(keyring, client.clone(), &options),
            admin: Admin::new(connection)?,
            producer: Producer::with_linger(connection, LOG_LINGER)?,
            client,
            readers: Readers::start(connection, budget.windows())?,
            committer: Committer::start(membership.clone()),
            budget,
            permits: Arc::new(Semaphore::new(options.max_in_flight)),
            identity,
            pulse: Pulse::start(),
            options,
        };
        Ok(Self {
            ctx: Arc::new(ctx),
            membership,
            ownership,
            changes,
            shards: HashMap::new(),
            tasks: HashMap::new(),
        })
    }

    async fn serve(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut housekeeping = interval(self.ctx.options.truncate_every);
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut measure = interval(MEASURE_EVERY);
        let mut keeper = Some(Housekeeping::default());
        let (kept, mut keepers) = mpsc::channel(1);
        let mut following = true;
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return self.drain().await,
                event = self.ownership.recv() => match event {
                    Some(event) => self.on_ownership(event),
                    None => return Err(Error::MembershipEnded),
                },
                change = self.changes.recv(), if following => following = self.on_change(change),
                Some(back) = keepers.recv() => keeper = Some(back),
                _ = measure.tick() => {
                    metrics::gauge!("hookline_buffered_bytes").set(self.ctx.budget.used() as f64);
                    let free = self.ctx.permits.available_permits();
                    let in_flight = self.ctx.options.max_in_flight.saturating_sub(free);
                    metrics::gauge!("hookline_requests_in_flight").set(in_flight as f64);
                }
                _ = housekeeping.tick() => {
                    if let Some(mut keeper) = keeper.take() {
                        let (ctx, kept) = (self.ctx.clone(), kept.clone());
                        let shards = self.shards.values().map(|h| h.commands.clone()).collect();
                        tokio::spawn(async move {
                            keeper.run(&ctx, shards).await;
                            // The service may have ended.
                            let _ = kept.send(keeper).await;
                        });
                    }
                }
            }
        }
    }

    fn on_ownership(&mut self, event: Ownership) {
        match event {
            Ownership::Assigned(lanes) => {
                for lane in lanes {
                    tracing::info!(shard = lane.partition, "shard taken over");
                    let predecessor = self.tasks.remove(&lane.partition);
                    let (ctx, membership) = (self.ctx.clone(), self.membership.clone());
                    let (handle, task) = Shard::spawn(lane.partition, ctx, membership, predecessor);
                    self.shards.insert(lane.partition, handle);
                    self.tasks.insert(lane.partition, task);
                }
                self.note_shards("assigned");
            }
            Ownership::Revoked(lanes, answer) => {
                let handles: Vec<Handle> = lanes.iter().filter_map(|l| self.shards.remove(&l.partition)).collect();
                self.note_shards("revoked");
                tokio::spawn(give_up(handles, Instant::now() + REVOKE_GRACE, answer));
            }
            Ownership::Lost(lanes) => {
                for lane in lanes {
                    if let Some(handle) = self.shards.remove(&lane.partition) {
                        handle.abandon();
                    }
                }
                self.note_shards("lost");
            }
        }
    }

    fn note_shards(&self, why: &'static str) {
        metrics::gauge!("hookline_shards_owned").set(self.shards.len() as f64);
        metrics::counter!("hookline_owner_changes_total", "why" => why).increment(1);
    }

    /// False when no change will come any more.
    fn on_change(&self, change: Result<Arc<Change>, broadcast::error::RecvError>) -> bool {
        match change {
            Ok(change) if change.kind == Kind::Endpoint => {
                if let Some(handle) = self.shards.get(&self.ctx.shard_of(&change.id)) {
                    handle.endpoint_changed(Some(change.id.clone()));
                }
            }
            Ok(change) if change.kind != Kind::Tenant => {}
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {
                for handle in self.shards.values() {
                    handle.endpoint_changed(None);
                }
            }
            // The ledger's follower ends only with the process.
            Err(broadcast::error::RecvError::Closed) => return false,
        }
        true
    }

    /// Reads nothing more, finishes what is in flight, commits, leaves the group.
    async fn drain(mut self) -> Result<(), Error> {
        let deadline = Instant::now() + self.ctx.options.drain;
        tracing::info!(shards = self.shards.len(), "draining");
        let mut draining = HashMap::new();
        let mut ends = Vec::new();
        for (number, handle) in std::mem::take(&mut self.shards) {
            let lane = TopicPartition::new(self.ctx.names.lanes(), number);
            let (ended, end) = watch::channel(());
            ends.push(end.clone());
            draining.insert(number, (handle.clone(), end));
            let membership = self.membership.clone();
            tokio::spawn(async move {
                let commits = handle.stop(deadline).await;
                commit_last(&membership, lane, commits).await;
                drop(ended);
            });
        }
        let finished = futures::future::join_all(ends.into_iter().map(ended));
        tokio::pin!(finished);
        loop {
            tokio::select! {
                _ = &mut finished => break,
                Some(event) = self.ownership.recv() => if let Ownership::Revoked(lanes, answer) = event {
                    // A joiner gets them: like any other time, what is quick is waited for.
                    let revoked = lanes.iter().filter_map(|l| draining.remove(&l.partition)).collect();
                    tokio::spawn(hurry(revoked, answer));
                },
            }
        }
        leave(&self.membership, self.ownership).await;
        Ok(())
    }
}

/// Waits until a draining shard has made its last commit.
async fn ended(mut end: watch::Receiver<()>) {
    while end.changed().await.is_ok() {}
}

/// Agrees to a revocation while draining, when the shards have made their last commits or can't wait any longer.
async fn hurry(shards: Vec<(Handle, watch::Receiver<()>)>, answer: std_mpsc::SyncSender<Vec<Commit>>) {
    let deadline = Instant::now() + REVOKE_GRACE;
    let all = futures::future::join_all(shards.into_iter().map(|(handle, end)| async move {
        handle.stop(deadline).await;
        ended(end).await;
    }));
    // What is not done by then may be repeated by the next owner.
    let _ = tokio::time::timeout(REVOKE_GRACE + REVOKE_MARGIN / 2, all).await;
    // The membership may have waited long enough.
    let _ = answer.send(Vec::new());
}

/// A shard's last commit, tried again while the group is being rebalanced.
async fn commit_last(membership: &Membership, lane: TopicPartition, commits: Vec<Commit>) {
    for _ in 0..LAST_COMMIT_TRIES {
        match membership.commit(vec![(lane.clone(), commits.clone())]).await {
            Ok(_) => return,
            // Also refused when a rebalance has just begun, and the lane may well stay here.
            Err(error) if error.is_retryable() || (error.is_fenced() && membership.owns(&lane)) => {
                tokio::time::sleep(LAST_COMMIT_PAUSE).await;
            }
            Err(error) => {
                tracing::warn!(shard = lane.partition, %error, "the last commit failed; what was in flight may be repeated");
                return;
            }
        }
    }
    tracing::warn!(
        shard = lane.partition,
        "the last commit got no answer; what was in flight may be repeated"
    );
}

/// Leaves the group, agreeing to every revocation at once.
async fn leave(membership: &Membership, mut ownership: mpsc::Receiver<Ownership>) {
    let agree = async {
        while let Some(event) = ownership.recv().await {
            if let Ownership::Revoked(_, answer) = event {
                let _ = answer.send(Vec::new());
            }
        }
    };
    tokio::select! {
        () = membership.leave() => {}
        () = agree => {}
    }
}

async fn give_up(handles: Vec<Handle>, deadline: Instant, answer: std_mpsc::SyncSender<Vec<Commit>>) {
    let stopping = handles.into_iter().map(|handle| handle.stop(deadline));
    let commits = futures::future::join_all(stopping)
        .await
        .into_iter()
        .flatten()
        .collect();
    // Too late when the membership has waited long enough.
    let _ = answer.send(commits);
}

/// Whose offsets these are; waits for the ledger's first record, which the first clerk writes.
async fn identity(connection: &Connection, options: &Options, ledger: &Ledger) -> Result<Identity, Error> {
    let view = ledger.view();
    let installation = view.installation().ok_or(Error::NoInstallation)?;
    if installation.lanes != options.lanes {
        return Err(Error::WrongLanes {
            configured: options.lanes,
            installed: installation.lanes,
        });
    }
    let connection = connection.clone();
    let cluster_id = tokio::task::spawn_blocking(move || connection.cluster_id(Duration::from_secs(10)))
        .await
        .map_err(|_| kafka_log::Error::Stopped)??;
    Ok(Identity::new(&cluster_id, &installation.incarnation))
}
