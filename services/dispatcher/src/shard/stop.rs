//! Ending a shard: for a joiner, for SIGTERM, or because it is somebody else's already.

use super::Shard;
use kafka_log::Commit;
use std::sync::atomic::Ordering;
use tokio::{sync::oneshot, time::Instant};

/// A stop under way.
pub(crate) struct Stopping {
    pub(super) deadline: Instant,
    replies: Vec<oneshot::Sender<Vec<Commit>>>,
}

impl Shard {
    /// Reads and starts nothing more. What is in memory and not started stays uncommitted: the next owner reads it.
    pub(super) async fn stop(&mut self, deadline: Instant, reply: oneshot::Sender<Vec<Commit>>) {
        match &mut self.stopping {
            Some(stopping) => {
                stopping.deadline = stopping.deadline.min(deadline);
                stopping.replies.push(reply);
            }
            None => {
                self.stopping = Some(Stopping {
                    deadline,
                    replies: vec![reply],
                });
                self.close_streams().await;
                self.write_health();
            }
        }
    }

    /// Whether the shard is somebody else's, or its stop has nothing left to wait for.
    pub(super) fn has_ended(&self) -> bool {
        let stopped = self.stopping.as_ref().is_some_and(|stopping| {
            let is_idle = self.under_way == 0 && self.committing.is_none() && !self.writing_health;
            is_idle || Instant::now() >= stopping.deadline
        });
        stopped || self.given_up.load(Ordering::Relaxed)
    }

    /// Answers with the last commits. From here on this process no longer answers for the shard.
    pub(super) async fn end(mut self) {
        self.say_open_circuits(0);
        let lost = self.given_up.swap(true, Ordering::Relaxed) || self.stopping.is_none();
        if lost || self.under_way > 0 {
            tracing::warn!(
                shard = self.number,
                under_way = self.under_way,
                lost,
                "shard given up; its next owner may repeat what is under way"
            );
        }
        match self.stopping.take() {
            Some(stopping) => {
                // A commit still under way may come too late: these include what it says.
                self.commit_again();
                let commits = self.take_commits();
                for reply in stopping.replies {
                    // Nobody may be waiting any more.
                    let _ = reply.send(commits.clone());
                }
            }
            None => self.close_streams().await,
        }
    }
}
