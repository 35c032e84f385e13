//! What a member does when the group shares its partitions out anew. Runs on the member's thread, inside its poll.

use super::{Ownership, commit_batches};
use crate::TopicPartition;
use parking_lot::Mutex;
use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError,
    types::RDKafkaRespErr,
};
use std::{
    collections::HashSet,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc as std_mpsc,
    },
    time::Duration,
};
use tokio::sync::mpsc;

pub(super) struct Events {
    /// None once the member's thread has ended: then the receiver learns that nothing will ever come.
    pub(super) sender: Mutex<Option<mpsc::Sender<Ownership>>>,
    /// Locked for moments only, so anybody may ask.
    pub(super) owned: Mutex<HashSet<TopicPartition>>,
    /// Held while a commit is under way: a revoke waits for it, and what was revoked is committed no more.
    pub(super) committing: Mutex<()>,
    /// An assignment could not be taken: this member can do nothing any more.
    pub(super) broken: AtomicBool,
    pub(super) revoke_timeout: Duration,
}

impl ClientContext for Events {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka group member");
    }
}

impl ConsumerContext for Events {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, err: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions: Vec<TopicPartition> = list
            .elements()
            .iter()
            .map(|e| TopicPartition::new(e.topic(), e.partition()))
            .collect();
        if err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.assign(consumer, list, partitions);
        } else {
            self.unassign(consumer, list, partitions);
        }
    }
}

impl Events {
    fn assign(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList, partitions: Vec<TopicPartition>) {
        // An explicit offset asks nothing of the brokers; the partition is paused, so it is never read from there.
        if let Err(error) = list.set_all_offsets(Offset::Offset(0)) {
            tracing::error!(%error, "set offsets of an assignment");
        }
        if let Err(error) = consumer.incremental_assign(list) {
            tracing::error!(%error, "an assignment can't be taken");
            self.broken.store(true, Ordering::Relaxed);
            return;
        }
        if partitions.is_empty() {
            return;
        }
        if let Err(error) = consumer.pause(list) {
            tracing::error!(%error, "pause an assignment");
        }
        self.owned.lock().extend(partitions.iter().cloned());
        self.tell(Ownership::Assigned(partitions));
    }

    fn unassign(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList, partitions: Vec<TopicPartition>) {
        if consumer.assignment_lost() {
            // Told at once, also while a commit hangs: the brokers refuse that one.
            self.forget(&partitions);
            self.tell(Ownership::Lost(partitions));
        } else if !partitions.is_empty() {
            let (answer, commits) = std_mpsc::sync_channel(1);
            self.tell(Ownership::Revoked(partitions.clone(), answer));
            let last = commits.recv_timeout(self.revoke_timeout).unwrap_or_default();
            let _committing = self.committing.lock();
            if let Err(error) = commit_batches(consumer, &last) {
                tracing::warn!(%error, "last commit of revoked partitions; their new owner may repeat what was in flight");
            }
            self.forget(&partitions);
        }
        if let Err(error) = consumer.incremental_unassign(list) {
            tracing::error!(%error, "give up an assignment");
        }
    }

    fn forget(&self, partitions: &[TopicPartition]) {
        let mut owned = self.owned.lock();
        for partition in partitions {
            owned.remove(partition);
        }
    }

    fn tell(&self, event: Ownership) {
        let sender = self.sender.lock().clone();
        // The receiver is gone only while its owner stops: then nobody works on the partitions any more.
        if sender.is_none_or(|sender| sender.blocking_send(event).is_err()) {
            tracing::debug!("ownership changed after its owner stopped");
        }
    }
}

/// Closes the owner's channel when the member's thread ends, however it ends.
pub(super) struct Closes<'a>(pub(super) &'a Events);

impl Drop for Closes<'_> {
    fn drop(&mut self) {
        self.0.sender.lock().take();
    }
}
