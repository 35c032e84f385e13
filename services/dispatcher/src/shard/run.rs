//! The shard's loop.

use super::{Command, Shard, admit::Arrived};
use crate::{commit::Answer, readers::Class, target::Status};
use kafka_log::{Item, TopicPartition};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

/// How often what has waited too long in memory is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Offsets are committed again this often, because they expire.
const COMMIT_AGAIN_EVERY: Duration = Duration::from_secs(86_400);

impl Shard {
    pub(super) async fn run(mut self) {
        if !self.begin().await {
            return self.finish();
        }
        let mut sweep = interval(SWEEP_EVERY);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut again = interval(COMMIT_AGAIN_EVERY);
        let (mut events, mut items) = (Vec::new(), Vec::new());
        loop {
            self.start_requests();
            if !self.streams.have_room() {
                self.make_room().await;
            }
            if self.has_stopped() {
                return self.finish();
            }
            let reading = self.stopping.is_none() && self.streams.have_room();
            let wake = self.next_wake();
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    None | Some(Command::Abandon) => return self.abandon().await,
                    Some(command) => self.obey(command).await,
                },
                _ = self.events.recv_many(&mut events, 512) => {
                    for event in events.drain(..) {
                        self.on_event(event);
                    }
                }
                answer = committed(&mut self.committing), if self.committing.is_some() => self.on_committed(answer),
                permit = self.ctx.permits.clone().acquire_owned(), if self.starved => {
                    self.spare = permit.ok();
                    self.starved = false;
                }
                () = sleep_until(wake) => self.on_wake().await,
                _ = self.inbox.recv_many(&mut items, 64), if reading => {
                    for item in items.drain(..) {
                        if let Item::Record(record) = item {
                            self.admit(record).await;
                        }
                    }
                }
                _ = sweep.tick() => self.sweep().await,
                _ = again.tick() => self.commit_all_at_next(),
            }
        }
    }

    /// Opens the streams, however long Kafka takes; false when the shard was taken away first.
    async fn begin(&mut self) -> bool {
        loop {
            match self.open_streams().await {
                Ok(()) => return true,
                Err(error) => {
                    tracing::warn!(shard = self.number, %error, "can't begin to read the shard; trying again")
                }
            }
            if self.wait_for_ledger_or_stop().await {
                return false;
            }
        }
    }

    /// Waits a moment; true when the shard was taken away meanwhile.
    pub(super) async fn wait_for_ledger_or_stop(&mut self) -> bool {
        let retry = Instant::now() + Duration::from_millis(500);
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    None | Some(Command::Abandon) => return true,
                    Some(Command::Stop { deadline, reply }) => {
                        self.stop(deadline, reply).await;
                        return true;
                    }
                    Some(_) => {}
                },
                () = sleep_until(retry) => return false,
            }
        }
    }

    fn next_wake(&self) -> Instant {
        let far = Instant::now() + Duration::from_secs(3600);
        let commit = self.commit_at.filter(|_| self.committing.is_none());
        let deadline = self.stopping.as_ref().map(|s| s.deadline);
        [commit, self.queues.next_timer(), deadline]
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
            Command::EndpointChanged(None) => {
                for endpoint in self.queues.endpoints() {
                    self.endpoint_changed(&endpoint).await;
                }
                if let Err(error) = self.open_streams().await {
                    tracing::warn!(shard = self.number, %error, "can't read the dedicated topics that came");
                }
            }
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
            Command::Existing(topics) => self.close_gone_topics(&topics).await,
            Command::Abandon => {}
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
                if self.wait_for_ledger_or_stop().await {
                    return;
                }
            }
        }
        let waiting = self.queues.take_all(endpoint_id);
        self.queues.of(&target);
        for (waiting, returned) in waiting {
            let class = match (waiting.dedicated, returned) {
                (true, _) => Class::Dedicated,
                (false, true) => Class::Returns,
                (false, false) => Class::Lanes,
            };
            let arrived = Arrived {
                slot: waiting.slot,
                class,
                credit: waiting.credit,
            };
            drop(waiting.share);
            self.place(waiting.delivery, arrived, &target).await;
        }
        self.queues.ready(endpoint_id);
    }

    /// Defers what has waited too long in memory, and forgets idle endpoints.
    async fn sweep(&mut self) {
        if self.stopping.is_none() {
            self.defer_older_than(self.ctx.options.hold_max).await;
            self.queues.forget_idle();
        }
    }

    /// A partition's commit metadata is nearly full: what has waited for a moment is deferred, so that it can move on.
    async fn make_room(&mut self) {
        if self.stopping.is_none() {
            self.defer_older_than(Duration::from_secs(1)).await;
        }
    }

    async fn defer_older_than(&mut self, age: Duration) {
        let Some(limit) = Instant::now().checked_sub(age) else {
            return;
        };
        for (waiting, drain_ms) in self.queues.take_older(limit) {
            let arrived = Arrived {
                slot: waiting.slot,
                class: Class::Lanes,
                credit: waiting.credit,
            };
            self.defer(waiting.delivery, arrived, drain_ms).await;
        }
    }
}

async fn committed(answer: &mut Option<oneshot::Receiver<Answer>>) -> Option<Answer> {
    match answer {
        Some(answer) => answer.await.ok(),
        None => None,
    }
}
