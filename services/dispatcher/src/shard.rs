//! One shard: an actor that owns a lane, what returns to it, and the dedicated topics of its endpoints.
//!
//! Everything an endpoint needs (queue, rate, concurrency) is a plain value of this task; requests run beside it.

mod admit;
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
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use streams::Streams;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::Instant,
};

pub(crate) use queues::Waiting;

/// How long what is done may stay uncommitted.
const COMMIT_AFTER: Duration = Duration::from_millis(20);
/// Keys in the recent set: about a minute of a busy shard.
const RECENT_KEYS: usize = 20_000;
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
    Responded { endpoint: Arc<str>, took: Duration },
    /// The brokers have all that the delivery came to.
    Settled {
        slot: Slot,
        permit: Option<OwnedSemaphorePermit>,
        ended: Option<u128>,
    },
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
    /// Somebody else owns it: end now.
    Abandon,
    /// The dedicated topics that there are.
    Existing(Arc<std::collections::BTreeSet<String>>),
    /// What may be deleted: every stream's committed offset.
    Committed(oneshot::Sender<Vec<(TopicPartition, i64)>>),
}

/// Handle of a running shard.
pub(crate) struct Handle {
    pub(crate) commands: mpsc::Sender<Command>,
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
    stopping: Option<stop::Stopping>,
    /// Set when this process no longer answers for the shard.
    given_up: Arc<AtomicBool>,
}

impl Shard {
    /// Starts the shard's task.
    pub(crate) fn spawn(number: i32, ctx: Arc<Context>, membership: Arc<kafka_log::Membership>) -> Handle {
        let (commands_sender, commands) = mpsc::channel(256);
        let (inbox_sender, inbox) = mpsc::channel(2048);
        let (events_sender, events) = mpsc::channel(4096);
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
            stopping: None,
            given_up: Arc::new(AtomicBool::new(false)),
            ctx,
        };
        tokio::spawn(shard.run());
        Handle {
            commands: commands_sender,
        }
    }
}
