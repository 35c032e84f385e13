//! What is done: trackers, and commits in their turn.

use super::{COMMIT_AFTER, Event, Shard, Slot};
use crate::commit::{Answer, CommitRequest};
use kafka_log::Commit;
use tokio::{sync::oneshot, time::Instant};

impl Shard {
    pub(super) async fn on_event(&mut self, event: Event) {
        match event {
            Event::Responded(said) => self.answered(said).await,
            Event::HealthWritten => {
                self.writing_health = false;
                if std::mem::take(&mut self.write_health_again) {
                    self.write_health();
                }
            }
            Event::Asked { endpoint } => drop(self.disabling.remove(&endpoint)),
            Event::Settled { slot, permit, ended } => {
                self.under_way -= 1;
                self.uncommitted.extend(permit);
                if let Some(key) = ended {
                    self.recent.insert(key);
                }
                self.settle(slot);
            }
        }
    }

    /// The record is done; its commit follows soon.
    pub(super) fn settle(&mut self, slot: Slot) {
        self.streams.get_mut(slot.stream).tracker.done(slot.seq);
        self.commit_soon();
    }

    pub(super) fn commit_soon(&mut self) {
        if self.commit_at.is_none() {
            self.commit_at = Some(Instant::now() + COMMIT_AFTER);
        }
    }

    /// Commits every stream at the next opportunity, whether anything was done or not.
    pub(super) fn commit_all_at_next(&mut self) {
        for stream in self.streams.iter_mut() {
            stream.tracker.commit_failed();
        }
        self.commit_soon();
    }

    /// What is being committed counts as not committed.
    pub(super) fn commit_again(&mut self) {
        for stream in self.streams.iter_mut() {
            if stream.committing.take().is_some() {
                stream.tracker.commit_failed();
            }
        }
    }

    /// Everything done and not yet committed.
    pub(super) fn take_commits(&mut self) -> Vec<Commit> {
        self.streams
            .iter_mut()
            .filter_map(|stream| {
                let point = stream.tracker.take_commit()?;
                stream.committing = Some(point.offset);
                Some(stream.commit(point))
            })
            .collect()
    }

    /// Hands what is done to the committer, unless its answer to the last commit is still awaited.
    pub(super) async fn commit(&mut self) {
        if self.committing.is_some() {
            return;
        }
        self.commit_at = None;
        let commits = self.take_commits();
        if commits.is_empty() {
            self.uncommitted.clear();
            return;
        }
        runtime::crash_point("dispatcher.before_commit");
        let (answer, committing) = oneshot::channel();
        self.committing = Some(committing);
        let permits = std::mem::take(&mut self.uncommitted);
        self.ctx
            .committer
            .request(CommitRequest {
                owner: self.lane.clone(),
                commits,
                permits,
                answer,
            })
            .await;
    }

    pub(super) fn on_committed(&mut self, answer: Option<Answer>) {
        self.committing = None;
        let made = matches!(answer, Some(Answer::Committed));
        if let Some(Answer::Failed(permits)) = answer {
            self.uncommitted.extend(permits);
        }
        for stream in self.streams.iter_mut() {
            if let Some(offset) = stream.committing.take() {
                if made {
                    stream.committed = offset;
                } else {
                    stream.tracker.commit_failed();
                }
            }
        }
        if !made || self.streams.iter().any(|s| s.tracker.dirty()) {
            self.commit_soon();
        }
        self.settle_doubt(made);
    }
}
