//! A member of a consumer group that owns partitions and reads nothing: ownership, offsets and fencing.
//!
//! Its thread polls for ever, so the member stays in the group whatever its owner does. Partitions are assigned
//! paused; reading them is a [`crate::Reader`]'s work.

mod rebalance;

use crate::{Connection, Error, TopicPartition, leader};
use parking_lot::Mutex;
use rdkafka::{
    Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerGroupMetadata},
    error::KafkaError,
};
use rebalance::{Closes, Events};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc as std_mpsc,
    },
    thread,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Most bytes of offset metadata in one commit request: a commit is one batch in `__consumer_offsets`
/// (280 partitions with 3.9 KB each were refused, 250 passed).
const MAX_COMMIT_BYTES: usize = 512 * 1024;
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const LEAVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How to join.
#[derive(Debug, Clone)]
pub struct MembershipOptions {
    pub group: String,
    /// Topics whose partitions are shared out.
    pub topics: Vec<String>,
    /// Static membership: partitions move only after the session timeout.
    pub instance_id: Option<String>,
    pub session_timeout: Duration,
    /// How long a revoke waits for the owner's final commits.
    pub revoke_timeout: Duration,
}

impl MembershipOptions {
    pub fn new(group: impl Into<String>, topics: Vec<String>) -> Self {
        Self {
            group: group.into(),
            topics,
            instance_id: None,
            session_timeout: Duration::from_secs(6),
            revoke_timeout: Duration::from_millis(1500),
        }
    }
}

/// What happens to the ownership of partitions.
#[derive(Debug)]
pub enum Ownership {
    /// These are ours from now on: ask [`Membership::committed`] and begin to read.
    Assigned(Vec<TopicPartition>),
    /// Another member is to get these. Take no new work, and answer with the last commits within
    /// [`MembershipOptions::revoke_timeout`]; after that they are given up whatever was answered.
    Revoked(Vec<TopicPartition>, std_mpsc::SyncSender<Vec<Commit>>),
    /// These are somebody else's already: start nothing more for them; nothing can be committed.
    Lost(Vec<TopicPartition>),
}

/// An offset to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub partition: TopicPartition,
    /// Where reading is to go on.
    pub offset: i64,
    /// At most 4,096 bytes.
    pub metadata: String,
}

impl Commit {
    pub(crate) fn list(commits: &[Commit]) -> Result<TopicPartitionList, Error> {
        let mut list = TopicPartitionList::with_capacity(commits.len());
        for commit in commits {
            let mut element = list.add_partition(&commit.partition.topic, commit.partition.partition);
            element
                .set_offset(Offset::Offset(commit.offset))
                .map_err(|e| Error::Other(format!("offset {} of {}: {e}", commit.offset, commit.partition)))?;
            element.set_metadata(commit.metadata.as_str());
        }
        Ok(list)
    }
}

/// What is committed for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub partition: TopicPartition,
    /// None: nothing was ever committed.
    pub offset: Option<i64>,
    pub metadata: String,
}

/// Proof of membership for a transaction's offsets.
pub struct GroupMetadata(pub(crate) ConsumerGroupMetadata);

/// Membership in a group. Leaves the group when closed or dropped.
pub struct Membership {
    inner: Arc<Inner>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

struct Inner {
    consumer: BaseConsumer<Events>,
    stop: AtomicBool,
}

impl Membership {
    /// Joins the group. What happens to partitions arrives on the receiver; keep reading it. It closes when the member
    /// has left or can't go on: then join again, or end.
    pub fn join(
        connection: &Connection,
        options: &MembershipOptions,
    ) -> Result<(Self, mpsc::Receiver<Ownership>), Error> {
        let session_ms = options.session_timeout.as_millis().to_string();
        let heartbeat_ms = (options.session_timeout.as_millis() / 4).to_string();
        let mut config = connection.client(
            &[
                ("session.timeout.ms", session_ms.as_str()),
                ("heartbeat.interval.ms", heartbeat_ms.as_str()),
                ("partition.assignment.strategy", "cooperative-sticky"),
                ("topic.metadata.refresh.interval.ms", "30000"),
                // A member whose coordinator died must rejoin within the session, not when a default says.
                ("socket.timeout.ms", "10000"),
            ],
            &[
                ("group.id", options.group.as_str()),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("isolation.level", "read_committed"),
                ("max.poll.interval.ms", "300000"),
            ],
        );
        if let Some(id) = &options.instance_id {
            config.set("group.instance.id", format!("{id}.{}", options.group));
        }
        let (sender, receiver) = mpsc::channel(64);
        let events = Events {
            sender: Mutex::new(Some(sender)),
            owned: Mutex::default(),
            committing: Mutex::default(),
            broken: AtomicBool::new(false),
            revoke_timeout: options.revoke_timeout,
        };
        let consumer: BaseConsumer<Events> = BaseConsumer::from_config_and_context(&config, events)
            .map_err(|e| Error::from_kafka(&e, "create a group member"))?;
        let topics: Vec<&str> = options.topics.iter().map(String::as_str).collect();
        consumer
            .subscribe(&topics)
            .map_err(|e| Error::from_kafka(&e, &topics.join(", ")))?;
        let inner = Arc::new(Inner {
            consumer,
            stop: AtomicBool::new(false),
        });
        let polled = inner.clone();
        let thread = thread::Builder::new()
            .name(format!("member {}", options.group))
            .spawn(move || polled.run())
            .map_err(|e| Error::Other(format!("start a thread: {e}")))?;
        Ok((
            Self {
                inner,
                thread: Mutex::new(Some(thread)),
            },
            receiver,
        ))
    }

    /// What is committed for these partitions, of any topic. Waits for open transactions that contain their offsets.
    pub async fn committed(&self, partitions: Vec<TopicPartition>) -> Result<Vec<Committed>, Error> {
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || inner.committed(&partitions))
            .await
            .map_err(|_| Error::Stopped)?
    }

    /// Commits, under the authority of owned partitions: what an entry's first part names must be owned now, else the
    /// entry is left out. Returns the owned partitions whose commits were made.
    pub async fn commit(&self, commits: Vec<(TopicPartition, Vec<Commit>)>) -> Result<Vec<TopicPartition>, Error> {
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || inner.commit_owned(commits))
            .await
            .map_err(|_| Error::Stopped)?
    }

    /// Proof of membership, to be taken afresh for each transaction.
    pub fn group_metadata(&self) -> Result<GroupMetadata, Error> {
        self.inner
            .consumer
            .group_metadata()
            .map(GroupMetadata)
            .ok_or_else(|| Error::NotAMember("no group metadata".into()))
    }

    /// Whether this partition is owned at this moment.
    pub fn owns(&self, partition: &TopicPartition) -> bool {
        self.inner.consumer.context().owned.lock().contains(partition)
    }

    /// Leaves the group; partitions still owned are revoked first (and arrive as [`Ownership::Revoked`]). Returns when
    /// the group has let the member go, or Kafka doesn't answer for too long.
    pub async fn leave(&self) {
        self.inner.stop.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.lock().take() else {
            return;
        };
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the group member's thread panicked");
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.inner.stop.store(true, Ordering::Relaxed);
    }
}

impl Inner {
    fn run(&self) {
        let _closes = Closes(self.consumer.context());
        while !self.stop.load(Ordering::Relaxed) && !self.consumer.context().broken.load(Ordering::Relaxed) {
            match self.consumer.poll(Duration::from_millis(100)) {
                None => {}
                // Partitions are paused; what was fetched before the pause took hold is not for us.
                Some(Ok(_)) => {}
                // Such as another process with the same instance id: this client is finished.
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                    tracing::error!(%error, "this group member can't go on");
                    break;
                }
                Some(Err(error)) => tracing::warn!(%error, "group member"),
            }
        }
        // Leaves from here, so that the last rebalance runs on this thread.
        if let Err(error) = self.consumer.close_queue() {
            tracing::warn!(%error, "leave the group");
            return;
        }
        let deadline = Instant::now() + LEAVE_TIMEOUT;
        while !self.consumer.closed() && Instant::now() < deadline {
            let _ = self.consumer.poll(Duration::from_millis(20));
        }
    }

    fn committed(&self, partitions: &[TopicPartition]) -> Result<Vec<Committed>, Error> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&partition.topic, partition.partition);
        }
        let answer = self
            .consumer
            .committed_offsets(list, CALL_TIMEOUT)
            .map_err(|e| Error::from_kafka(&e, "fetch committed offsets"))?;
        let mut committed = Vec::with_capacity(partitions.len());
        for element in answer.elements() {
            element.error().map_err(|e| Error::from_kafka(&e, element.topic()))?;
            let offset = match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            committed.push(Committed {
                partition: TopicPartition::new(element.topic(), element.partition()),
                offset,
                metadata: element.metadata().to_owned(),
            });
        }
        Ok(committed)
    }

    fn commit_owned(&self, commits: Vec<(TopicPartition, Vec<Commit>)>) -> Result<Vec<TopicPartition>, Error> {
        let context = self.consumer.context();
        let _committing = context.committing.lock();
        let entitled: Vec<(TopicPartition, Vec<Commit>)> = {
            let owned = context.owned.lock();
            commits.into_iter().filter(|(owner, _)| owned.contains(owner)).collect()
        };
        let all: Vec<Commit> = entitled.iter().flat_map(|(_, entries)| entries.clone()).collect();
        match commit_batches(&self.consumer, &all) {
            Err(error) if !error.is_fenced() && !error.is_retryable() => self.commit_each(entitled),
            result => result.map(|()| entitled.into_iter().map(|(owner, _)| owner).collect()),
        }
    }

    /// Whether a refusal says that the topic is no more, rather than new to the coordinator's broker.
    fn is_gone(&self, refusal: &Error, topic: &str) -> bool {
        let is_unknown = || {
            let metadata = self.consumer.fetch_metadata(Some(topic), CALL_TIMEOUT);
            metadata.is_ok_and(|metadata| leader::partitions(&metadata, topic).is_empty())
        };
        matches!(refusal, Error::UnknownTopic(_)) && is_unknown()
    }

    /// One partition's refusal is the whole request's error: the others must not wait for it. A topic that is gone has
    /// no offsets to keep.
    fn commit_each(&self, commits: Vec<(TopicPartition, Vec<Commit>)>) -> Result<Vec<TopicPartition>, Error> {
        let mut made = Vec::with_capacity(commits.len());
        let mut refused = None;
        for (owner, entries) in commits {
            let refusal = entries.iter().find_map(|entry| {
                let result = commit_batches(&self.consumer, std::slice::from_ref(entry));
                result
                    .err()
                    .filter(|error| !self.is_gone(error, &entry.partition.topic))
            });
            match refusal {
                None => made.push(owner),
                Some(error) => {
                    tracing::warn!(%owner, %error, "offsets refused");
                    refused = Some(error);
                }
            }
        }
        match refused {
            Some(error) if made.is_empty() => Err(error),
            _ => Ok(made),
        }
    }
}

fn commit_batches(consumer: &BaseConsumer<Events>, commits: &[Commit]) -> Result<(), Error> {
    let mut start = 0;
    while start < commits.len() {
        let mut bytes = 0;
        let mut end = start;
        while end < commits.len() && (end == start || bytes < MAX_COMMIT_BYTES) {
            bytes += commits[end].metadata.len() + commits[end].partition.topic.len() + 64;
            end += 1;
        }
        let list = Commit::list(&commits[start..end])?;
        consumer
            .commit(&list, CommitMode::Sync)
            .map_err(|e| Error::from_kafka(&e, "commit offsets"))?;
        start = end;
    }
    Ok(())
}
