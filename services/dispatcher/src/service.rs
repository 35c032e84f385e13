//! The role: joins the group, and starts and stops shards as they come and go.

use crate::{
    Error, Options,
    budget::Budget,
    commit::Committer,
    context::Context,
    housekeeping::Housekeeping,
    readers::Readers,
    shard::{Command, Handle, Shard},
    target::Targets,
};
use delivery_core::tracker::Identity;
use kafka_log::{Admin, Commit, Connection, Membership, MembershipOptions, Ownership, Producer, TopicPartition};
use ledger::{Change, Keyring, Kind, Ledger};
use runtime::CancellationToken;
use std::{
    collections::HashMap,
    sync::{Arc, mpsc as std_mpsc},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, broadcast, mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval},
};

/// How long requests may still run when a joiner is to get their shard.
const REVOKE_GRACE: Duration = Duration::from_millis(1000);
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(60);

/// The role `dispatcher`.
pub struct Service {
    ctx: Arc<Context>,
    membership: Arc<Membership>,
    ownership: mpsc::Receiver<Ownership>,
    changes: broadcast::Receiver<Arc<Change>>,
    admin: Admin,
    shards: HashMap<i32, Handle>,
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
        keyring: Keyring,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let service = Self::start(connection, options, ledger, keyring).await?;
        service.serve(shutdown).await
    }

    async fn start(connection: &Connection, options: Options, ledger: Ledger, keyring: Keyring) -> Result<Self, Error> {
        let names = connection.names().clone();
        let identity = identity(connection, &options, &ledger).await?;
        // Before the first shard opens its streams, so that no change of an endpoint is missed.
        let changes = ledger.changes();
        let membership_options = MembershipOptions {
            instance_id: options.instance_id.clone(),
            revoke_timeout: REVOKE_GRACE + Duration::from_millis(500),
            ..MembershipOptions::new(names.dispatcher_group(), vec![names.lanes()])
        };
        let client = egress::Client::new(options.egress.clone()).map_err(|e| Error::Egress(e.to_string()))?;
        let (membership, ownership) = Membership::join(connection, &membership_options)?;
        let membership = Arc::new(membership);
        let ctx = Context {
            names,
            ledger,
            targets: Targets::new(keyring, &options),
            producer: Producer::new(connection)?,
            client,
            readers: Readers::start(connection)?,
            committer: Committer::start(membership.clone()),
            budget: Budget::new(options.max_buffered_bytes),
            permits: Arc::new(Semaphore::new(options.max_in_flight)),
            identity,
            options,
        };
        let admin = Admin::new(connection)?;
        Ok(Self {
            ctx: Arc::new(ctx),
            membership,
            ownership,
            changes,
            admin,
            shards: HashMap::new(),
        })
    }

    async fn serve(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut housekeeping = interval(HOUSEKEEPING_EVERY);
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut keeper = Some(Housekeeping::default());
        let (kept, mut keepers) = mpsc::channel(1);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return self.drain().await,
                event = self.ownership.recv() => match event {
                    Some(event) => self.on_ownership(event).await,
                    None => return Err(Error::MembershipEnded),
                },
                change = self.changes.recv() => self.on_change(change).await,
                Some(back) = keepers.recv() => keeper = Some(back),
                _ = housekeeping.tick() => {
                    metrics::gauge!("hookline_buffered_bytes").set(self.ctx.budget.used() as f64);
                    if let Some(mut keeper) = keeper.take() {
                        let (ctx, admin, kept) = (self.ctx.clone(), self.admin.clone(), kept.clone());
                        let shards = self.shards.values().map(|h| h.commands.clone()).collect();
                        tokio::spawn(async move {
                            keeper.run(&ctx, &admin, shards).await;
                            // The service may have ended.
                            let _ = kept.send(keeper).await;
                        });
                    }
                }
            }
        }
    }

    async fn on_ownership(&mut self, event: Ownership) {
        match event {
            Ownership::Assigned(lanes) => {
                for lane in lanes {
                    tracing::info!(shard = lane.partition, "shard taken over");
                    let handle = Shard::spawn(lane.partition, self.ctx.clone(), self.membership.clone());
                    self.shards.insert(lane.partition, handle);
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
                        // A shard that has ended already can't be told.
                        let _ = handle.commands.send(Command::Abandon).await;
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

    async fn on_change(&self, change: Result<Arc<Change>, broadcast::error::RecvError>) {
        match change {
            Ok(change) if change.kind == Kind::Endpoint => {
                if let Some(handle) = self.shards.get(&self.ctx.shard_of(&change.id)) {
                    self.tell(handle, Command::EndpointChanged(Some(change.id.clone())))
                        .await;
                }
            }
            Ok(change) if change.kind != Kind::Tenant => {}
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {
                for handle in self.shards.values() {
                    self.tell(handle, Command::EndpointChanged(None)).await;
                }
            }
            // The ledger's follower ends only with the process.
            Err(broadcast::error::RecvError::Closed) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }

    async fn tell(&self, handle: &Handle, command: Command) {
        if handle.commands.send(command).await.is_err() {
            tracing::debug!("a shard ended before it could be told of a change");
        }
    }

    /// Reads nothing more, finishes what is in flight, commits, leaves the group.
    async fn drain(mut self) -> Result<(), Error> {
        let deadline = Instant::now() + self.ctx.options.drain;
        tracing::info!(shards = self.shards.len(), "draining");
        let stopping: Vec<_> = std::mem::take(&mut self.shards)
            .into_iter()
            .map(|(number, handle)| {
                let lane = TopicPartition::new(self.ctx.names.lanes(), number);
                tokio::spawn(async move { (lane, stop(&handle, deadline).await) })
            })
            .collect();
        let finished = futures::future::join_all(stopping);
        tokio::pin!(finished);
        let commits = loop {
            tokio::select! {
                commits = &mut finished => break commits,
                event = self.ownership.recv() => if let Some(Ownership::Revoked(_, answer)) = event {
                    // A joiner: what is in flight is still being finished, and nothing can be promised before that.
                    let _ = answer.send(Vec::new());
                },
            }
        };
        let commits: Vec<_> = commits.into_iter().filter_map(Result::ok).collect();
        match self.membership.commit(commits).await {
            Ok(_) => tracing::info!("drained: all that was in flight is committed"),
            Err(error) => {
                tracing::warn!(%error, "the last commit failed; what was in flight may be repeated")
            }
        }
        leave(&self.membership, self.ownership).await;
        Ok(())
    }
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

async fn stop(handle: &Handle, deadline: Instant) -> Vec<Commit> {
    let (reply, commits) = oneshot::channel();
    if handle.commands.send(Command::Stop { deadline, reply }).await.is_err() {
        return Vec::new();
    }
    commits.await.unwrap_or_default()
}

async fn give_up(handles: Vec<Handle>, deadline: Instant, answer: std_mpsc::SyncSender<Vec<Commit>>) {
    let stopping = handles.iter().map(|handle| stop(handle, deadline));
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
