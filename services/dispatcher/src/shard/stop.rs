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
            }
        }
    }

    /// Whether a stop has nothing left to wait for.
    pub(super) fn has_stopped(&self) -> bool {
        self.stopping.as_ref().is_some_and(|stopping| {
            (self.under_way == 0 && self.committing.is_none()) || Instant::now() >= stopping.deadline
        })
    }

    /// Answers with the last commits. From here on this process no longer answers for the shard.
    pub(super) fn finish(mut self) {
        self.given_up.store(true, Ordering::Relaxed);
        let commits = self.take_commits();
        if self.under_way > 0 {
            tracing::info!(
                shard = self.number,
                under_way = self.under_way,
                "given up with requests under way; the next owner may repeat them"
            );
        }
        if let Some(stopping) = self.stopping.take() {
            for reply in stopping.replies {
                // Nobody may be waiting any more.
                let _ = reply.send(commits.clone());
            }
        }
    }

    /// Ends at once: the shard is somebody else's.
    pub(super) async fn abandon(mut self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.close_streams().await;
        tracing::warn!(
            shard = self.number,
            under_way = self.under_way,
            "shard lost to another owner"
        );
    }
}
