//! The shard's loop.

use super::{ASK_AGAIN_AFTER, Command, SIDE_WRITES, Shard};
use crate::{commit::Answer, target::Status};
use kafka_log::{Error, Item, TopicPartition};
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

/// How often what has waited too long in memory is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// What is sent within this time is back in memory no sooner when it is deferred: a retry topic takes a second, a
/// transaction and two more reads.
const SOON: Duration = Duration::from_secs(2);
/// How often `health` is tried to be read before a shard goes to work without it.
const HEALTH_TRIES: usize = 5;
/// How soon a dedicated topic that wasn't there is looked for once more.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Offsets are committed again this often, because they expire.
const COMMIT_AGAIN_EVERY: Duration = Duration::from_secs(86_400);

impl Shard {
    /// The shard's life. It begins when `predecessor`, this process's former shard of the same number, has ended, so that
    /// the two never read at once; and it ends after it, because the next one waits for this one alone.
    pub(super) async fn run(mut self, mut predecessor: Option<JoinHandle<()>>) {
        if self.begin(&mut predecessor).await {
            self.serve().await;
        }
        self.end().await;
        if let Some(predecessor) = predecessor {
            // It panicked, or it has ended as it should: either way it reads nothing any more.
            let _ = predecessor.await;
        }
    }

    async fn serve(&mut self) {
        let mut sweep = interval(SWEEP_EVERY);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut again = interval(COMMIT_AGAIN_EVERY);
        let (mut events, mut items) = (Vec::new(), Vec::new());
        while !self.has_ended() {
            if self.stale.swap(false, Ordering::Relaxed) {
                self.endpoints_changed().await;
            }
            if self.is_sweeping && self.stopping.is_none() {
                self.is_sweeping = self.defer_older_than(self.ctx.options.hold_max, Duration::ZERO).await;
            }
            if self.streams.need_room() {
                self.make_room().await;
            }
            self.go_on_with_stalled().await;
            self.start_requests();
            let reading = self.stopping.is_none();
            let wake = self.next_wake();
            // What is due by the clock comes first: nothing that never ends may keep it waiting.
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    None => return,
                    Some(command) => self.obey(command).await,
                },
                answer = committed(&mut self.committing), if self.committing.is_some() => self.on_committed(answer),
                () = sleep_until(wake) => self.on_wake().await,
                _ = sweep.tick() => self.sweep().await,
                _ = again.tick() => self.commit_all_at_next(),
                _ = self.events.recv_many(&mut events, 512) => {
                    for event in events.drain(..) {
                        self.on_event(event).await;
                    }
                }
                permit = self.ctx.permits.clone().acquire_owned(), if self.starved => {
                    self.spare = permit.ok();
                    self.starved = false;
                }
                _ = self.inbox.recv_many(&mut items, 64), if reading => self.admit_all(&mut items).await,
            }
        }
    }

    async fn admit_all(&mut self, items: &mut Vec<Item>) {
        for item in items.drain(..) {
            // What was read and not taken in is read again by the next owner.
            if let Item::Record(record) = item
                && self.stopping.is_none()
            {
                self.admit(record).await;
            }
        }
    }

    /// Opens the streams, however long Kafka takes; false when the shard was taken away first.
    async fn begin(&mut self, predecessor: &mut Option<JoinHandle<()>>) -> bool {
        while let Some(former) = predecessor {
            tokio::select! {
                _ = former => *predecessor = None,
                interrupted = self.interrupted_within(ASK_AGAIN_AFTER) => if interrupted {
                    return false;
                },
            }
        }
        let mut health_tries = 0;
        loop {
            match self.open_all(&mut health_tries).await {
                Ok(()) => return true,
                Err(error) => {
                    tracing::warn!(shard = self.number, %error, "can't begin to read the shard; trying again")
                }
            }
            if self.interrupted_within(ASK_AGAIN_AFTER).await {
                return false;
            }
        }
    }

    async fn open_all(&mut self, health_tries: &mut usize) -> Result<(), Error> {
        self.open_streams().await?;
        *health_tries += 1;
        match self.restore_health().await {
            // It is a help: its absence must not keep all else waiting for ever.
            Err(error) if *health_tries >= HEALTH_TRIES => {
                tracing::error!(shard = self.number, %error, "how its endpoints are doing can't be read; that begins anew");
                self.is_health_unread = true;
                Ok(())
            }
            restored => restored,
        }
    }

    /// Waits; true at once when the shard is taken away meanwhile. Changed endpoints are looked at later.
    pub(super) async fn interrupted_within(&mut self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while !self.given_up.load(Ordering::Relaxed) && self.stopping.is_none() {
            tokio::select! {
                command = self.commands.recv() => match command {
                    None => return true,
                    Some(Command::Stop { deadline, reply }) => self.stop(deadline, reply).await,
                    Some(Command::EndpointChanged(_)) => self.stale.store(true, Ordering::Relaxed),
                    // They are asked again.
                    Some(Command::Existing(_) | Command::Committed(_)) => {}
                },
                () = sleep_until(until) => return false,
            }
        }
        true
    }

    fn next_wake(&self) -> Instant {
        let far = Instant::now() + Duration::from_secs(3600);
        let commit = self.commit_at.filter(|_| self.committing.is_none());
        let deadline = self.stopping.as_ref().map(|s| s.deadline);
        // Nothing that is blocked is looked at any more once it stops.
        let blocked = self.streams.look_again_at().filter(|_| self.stopping.is_none());
        [commit, self.queues.next_timer(), deadline, blocked]
            .into_iter()
            .flatten()
            .fold(far, Instant::min)
    }

    async fn on_wake(&mut self) {
        let now = Instant::now();
        self.queues.timers_due(now);
        if self.commit_at.is_some_and(|at| at <= now) {
            self.commit().await;
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::EndpointChanged(Some(endpoint)) => self.endpoint_changed(&endpoint).await,
            Command::EndpointChanged(None) => self.endpoints_changed().await,
            Command::Stop { deadline, reply } => self.stop(deadline, reply).await,
            Command::Committed(reply) => {
                let committed: Vec<(TopicPartition, i64)> = self
                    .streams
                    .iter()
                    .map(|s| (s.partition.clone(), s.committed))
                    .collect();
                // The asker may have given up.
                let _ = reply.send(committed);
            }
            Command::Existing(topics) => {
                self.close_gone_topics(&topics).await;
                self.read_found_topics(&topics).await;
            }
        }
    }

    /// Begins to read dedicated topics that are there now, but weren't when their endpoints were learned of: brokers
    /// hear of a new topic one after the other.
    async fn read_found_topics(&mut self, existing: &BTreeSet<String>) {
        let view = self.ctx.ledger.view();
        let unread = view.endpoints().any(|endpoint| {
            endpoint.dedicated_topic.is_some_and(|number| {
                let topic = self.ctx.names.endpoint(&endpoint.id, number);
                existing.contains(&topic)
                    && self.ctx.shard_of(&endpoint.id) == self.number
                    && self.streams.index(&topic).is_none()
            })
        });
        if unread {
            self.endpoints_changed().await;
        }
    }

    /// Looks once more for dedicated topics that are not read, after that time.
    pub(super) fn look_again_after(&self, wait: Duration) {
        let stale = self.stale.clone();
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            stale.store(true, Ordering::Relaxed);
        });
    }

    /// Any endpoint may have changed.
    async fn endpoints_changed(&mut self) {
        for endpoint in self.queues.endpoints() {
            self.endpoint_changed(&endpoint).await;
        }
        while self.stopping.is_none()
            && let Err(error) = self.open_streams().await
        {
            tracing::warn!(shard = self.number, %error, "can't read the dedicated topics that came; trying again");
            if self.interrupted_within(ASK_AGAIN_AFTER).await {
                return;
            }
        }
    }

    /// Brings an endpoint up to date with the ledger: its dedicated topic, and what waits for it in memory.
    async fn endpoint_changed(&mut self, endpoint_id: &Arc<str>) {
        let view = self.ctx.ledger.view();
        let Some(target) = self.ctx.targets.find(&view, endpoint_id).map(Arc::new) else {
            return;
        };
        if let Some(number) = target.dedicated_topic
            && target.status != Status::Deleted
            && self.stopping.is_none()
        {
            while let Err(error) = self.open_dedicated(endpoint_id, number).await {
                tracing::warn!(endpoint = %endpoint_id, %error, "can't read its dedicated topic; trying again");
                if self.interrupted_within(ASK_AGAIN_AFTER).await {
                    return;
                }
            }
            let topic = self.ctx.names.endpoint(endpoint_id, number);
            if self.streams.index(&topic).is_none() && self.streams.may_be_tried(&topic) {
                self.look_again_after(LOOK_AGAIN_AFTER);
            }
        }
        self.queues.of(&target);
        self.place_again(endpoint_id).await;
        self.write_health();
    }

    /// Decides anew about what waits in memory for an endpoint.
    pub(super) async fn place_again(&mut self, endpoint_id: &Arc<str>) {
        let Some(target) = self.queues.get(endpoint_id).map(|queue| queue.target.clone()) else {
            return;
        };
        for waiting in self.queues.take_all(endpoint_id) {
            let (delivery, arrived) = waiting.into_arrived();
            self.place(delivery, arrived, &target).await;
        }
        self.queues.ready(endpoint_id);
    }

    /// Defers what has waited too long in memory, and forgets idle endpoints.
    async fn sweep(&mut self) {
        self.streams.measure();
        if self.stopping.is_none() {
            self.bury_what_outlived_its_schedule().await;
            self.bury_what_expired().await;
            self.is_sweeping = true;
            self.queues.forget_idle();
            self.count_open_circuits();
            self.write_health();
        }
    }

    /// A partition's commit metadata is nearly full: what has waited for a moment, and would for longer, is deferred, so
    /// that it can move on.
    async fn make_room(&mut self) {
        if self.stopping.is_none() {
            self.defer_older_than(Duration::from_secs(1), SOON).await;
        }
    }

    /// No more at once than is written at once: meanwhile the shard does nothing else. Whether there may be more; what has
    /// been written brings the loop back.
    async fn defer_older_than(&mut self, age: Duration, spared: Duration) -> bool {
        let Some(limit) = Instant::now().checked_sub(age) else {
            return false;
        };
        let portion = self.queues.take_older(limit, spared, SIDE_WRITES);
        let is_whole = portion.len() == SIDE_WRITES;
        for (waiting, drain_ms) in portion {
            self.defer_waiting(waiting, drain_ms).await;
        }
        is_whole
    }
}

async fn committed(answer: &mut Option<oneshot::Receiver<Answer>>) -> Option<Answer> {
    match answer {
        Some(answer) => answer.await.ok(),
        None => None,
    }
}
