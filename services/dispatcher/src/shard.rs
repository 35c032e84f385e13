//! One shard: an actor that owns a lane, what returns to it, and the dedicated topics of its endpoints.
//!
//! Everything an endpoint needs (queue, rate, concurrency) is a plain value of this task; requests run beside it.

mod admit;
mod health;
mod limiter;
mod oldest;
mod queues;
mod run;
mod settle;
mod start;
mod stop;
mod streams;

use crate::context::Context;
use kafka_log::{Commit, Item, TopicPartition};
use queues::Queues;
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use streams::Streams;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

pub(crate) use health::Said;
pub(crate) use queues::Waiting;

/// How long what is done may stay uncommitted.
const COMMIT_AFTER: Duration = Duration::from_millis(20);
/// Keys in the recent set: about a minute of a busy shard.
const RECENT_KEYS: usize = 20_000;
/// How long something is waited for before it is asked for again.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How long after its deadline a shard that stops may take to say so.
const ANSWER_WITHIN: Duration = Duration::from_millis(300);
/// Deferrals, forwards and dead letters being written at once.
const SIDE_WRITES: usize = 256;

/// Names a record of this shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    stream: usize,
    seq: u64,
}

/// What the tasks of a shard report to it.
pub(crate) enum Event {
    /// The request ended: the endpoint has room again. What it came to is still being written.
    Responded(Said),
    /// The brokers have all that the delivery came to.
    Settled {
        slot: Slot,
        permit: Option<OwnedSemaphorePermit>,
        ended: Option<u128>,
    },
    /// What was to be written to `health` is there.
    HealthWritten,
    /// The clerk was asked to disable this endpoint, and has answered.
    Asked { endpoint: Arc<str> },
}

/// What the service asks of a shard.
pub(crate) enum Command {
    /// An endpoint of this shard changed in the ledger; None: any may have.
    EndpointChanged(Option<Arc<str>>),
    /// Start nothing more, finish what is under way until `deadline`, answer with the last commits, and end.
    Stop {
        deadline: Instant,
        reply: oneshot::Sender<Vec<Commit>>,
    },
    /// The dedicated topics that there are.
    Existing(Arc<std::collections::BTreeSet<String>>),
    /// What may be deleted: every stream's committed offset.
    Committed(oneshot::Sender<Vec<(TopicPartition, i64)>>),
}

/// Handle of a running shard. Without one left the shard gives up.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) commands: mpsc::Sender<Command>,
    stale: Arc<AtomicBool>,
    given_up: Arc<AtomicBool>,
}

/// The actor itself.
pub(crate) struct Shard {
    number: i32,
    lane: TopicPartition,
    ctx: Arc<Context>,
    membership: Arc<kafka_log::Membership>,
    streams: Streams,
    queues: Queues,
    recent: delivery_core::recent::RecentSet,
    inbox: mpsc::Receiver<Item>,
    inbox_sender: mpsc::Sender<Item>,
    events: mpsc::Receiver<Event>,
    events_sender: mpsc::Sender<Event>,
    commands: mpsc::Receiver<Command>,
    side: Arc<Semaphore>,
    /// Requests and side writes started and not settled.
    under_way: usize,
    /// Permits of requests that are settled and not committed.
    uncommitted: Vec<OwnedSemaphorePermit>,
    committing: Option<oneshot::Receiver<crate::commit::Answer>>,
    commit_at: Option<Instant>,
    /// A permit that was waited for.
    spare: Option<OwnedSemaphorePermit>,
    starved: bool,
    doubt: start::Doubt,
    /// Endpoints whose record in `health` is out of date.
    unwritten_health: HashSet<Arc<str>>,
    writing_health: bool,
    /// What was asked for meanwhile.
    write_health_again: bool,
    /// It began without: what stands there may be of long ago.
    is_health_unread: bool,
    /// Circuits that this shard has said to be open.
    open_circuits: usize,
    /// Endpoints that the clerk is being asked to disable.
    disabling: HashSet<Arc<str>>,
    /// Not all that has waited for too long is deferred yet.
    is_sweeping: bool,
    stopping: Option<stop::Stopping>,
    /// Set when endpoints changed that it was too busy to be told of.
    stale: Arc<AtomicBool>,
    /// Set when this process no longer answers for the shard.
    given_up: Arc<AtomicBool>,
}

impl Shard {
    /// Starts the shard's task, to go to work when its predecessor has ended.
    pub(crate) fn spawn(
        number: i32,
        ctx: Arc<Context>,
        membership: Arc<kafka_log::Membership>,
        predecessor: Option<JoinHandle<()>>,
    ) -> (Handle, JoinHandle<()>) {
        let (commands_sender, commands) = mpsc::channel(256);
        let (inbox_sender, inbox) = mpsc::channel(2048);
        let (events_sender, events) = mpsc::channel(4096);
        let (stale, given_up) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let handle = Handle {
            commands: commands_sender,
            stale: stale.clone(),
            given_up: given_up.clone(),
        };
        let shard = Shard {
            number,
            lane: TopicPartition::new(ctx.names.lanes(), number),
            membership,
            streams: Streams::default(),
            queues: Queues::default(),
            recent: delivery_core::recent::RecentSet::new(RECENT_KEYS),
            inbox,
            inbox_sender,
            events,
            events_sender,
            commands,
            side: Arc::new(Semaphore::new(SIDE_WRITES)),
            under_way: 0,
            uncommitted: Vec::new(),
            committing: None,
            commit_at: None,
            spare: None,
            starved: false,
            doubt: start::Doubt::none_after(ctx.pulse.stops()),
            unwritten_health: HashSet::new(),
            writing_health: false,
            write_health_again: false,
            is_health_unread: false,
            open_circuits: 0,
            disabling: HashSet::new(),
            is_sweeping: false,
            stopping: None,
            stale,
            given_up,
            ctx,
        };
        (handle, tokio::spawn(shard.run(predecessor)))
    }
}

impl Handle {
    /// Tells of a changed endpoint (None: any may have), now or when the shard is less busy.
    pub(crate) fn endpoint_changed(&self, endpoint: Option<Arc<str>>) {
        if self.commands.try_send(Command::EndpointChanged(endpoint)).is_err() {
            self.stale.store(true, Ordering::Relaxed);
        }
    }

    /// Somebody else owns it: it ends, and writes nothing more that the next owner writes too.
    pub(crate) fn abandon(self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Lets it finish what is under way until `deadline`; its last commits. A shard that can't even answer, because the
    /// brokers don't, is abandoned.
    pub(crate) async fn stop(self, deadline: Instant) -> Vec<Commit> {
        let (reply, commits) = oneshot::channel();
        let asked = async {
            self.commands.send(Command::Stop { deadline, reply }).await.ok()?;
            commits.await.ok()
        };
        match tokio::time::timeout_at(deadline + ANSWER_WITHIN, asked).await {
            Ok(commits) => commits.unwrap_or_default(),
            Err(_) => {
                self.abandon();
                Vec::new()
            }
        }
    }
}
