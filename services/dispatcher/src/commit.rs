//! Commits what shards have done: one request for all of them, again and again.
//!
//! A shard has at most one commit under way. The permits of what it covers are given back when the brokers have it:
//! until then a crash would repeat those requests, so they count as in flight (`dispatcher.max_in_flight`).

use kafka_log::{Commit, Error, Membership, TopicPartition};
use std::{sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

/// What one shard wants committed.
pub(crate) struct CommitRequest {
    /// The lane whose ownership it rests on.
    pub(crate) owner: TopicPartition,
    pub(crate) commits: Vec<Commit>,
    pub(crate) permits: Vec<OwnedSemaphorePermit>,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// What became of a commit.
pub(crate) enum Answer {
    Committed,
    /// It has to be wanted again; the permits come back.
    Failed(Vec<OwnedSemaphorePermit>),
}

/// Handle. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Committer {
    requests: mpsc::Sender<CommitRequest>,
}

impl Committer {
    pub(crate) fn start(membership: Arc<Membership>) -> Self {
        let (requests, receiver) = mpsc::channel(1024);
        tokio::spawn(run(membership, receiver));
        Self { requests }
    }

    /// Hands over; the answer comes on the request's own channel.
    pub(crate) async fn request(&self, request: CommitRequest) {
        if self.requests.send(request).await.is_err() {
            tracing::error!("the committer has ended; nothing is committed any more");
        }
    }
}

async fn run(membership: Arc<Membership>, mut receiver: mpsc::Receiver<CommitRequest>) {
    let mut batch = Vec::new();
    while receiver.recv_many(&mut batch, 1024).await > 0 {
        let wanted = batch
            .iter_mut()
            .map(|r| (r.owner.clone(), std::mem::take(&mut r.commits)))
            .collect();
        let made = match membership.commit(wanted).await {
            Ok(made) => made,
            Err(error) => {
                report(&error);
                tokio::time::sleep(Duration::from_millis(100)).await;
                Vec::new()
            }
        };
        if !made.is_empty() {
            runtime::crash_point("dispatcher.after_commit");
        }
        for request in batch.drain(..) {
            let answer = if made.contains(&request.owner) {
                drop(request.permits);
                Answer::Committed
            } else {
                Answer::Failed(request.permits)
            };
            // The shard may have ended meanwhile.
            let _ = request.answer.send(answer);
        }
    }
}

fn report(error: &Error) {
    if error.is_fenced() {
        tracing::warn!(%error, "commit refused: the shards have another owner now");
    } else {
        tracing::warn!(%error, "commit failed; it is tried again");
    }
}
