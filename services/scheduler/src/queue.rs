//! What has been read of one partition of one retry topic, and which of it is due first.
//!
//! A tier has one delay for all, but a delivery may be due before that delay is over: records leave in the order in
//! which they are due, as far as the window reaches, and the tracker puts those that left early into the commit's
//! metadata. Nothing overtakes a record whose schema isn't known yet.

use delivery_core::tracker::{CommitPoint, Identity, Tracker};
use kafka_log::{Commit, Committed, Record, TopicPartition};
use schemas::{DecodeError, Delivery, WriterSchemas};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

/// How often a partition that can't go on says so.
const ALERT_EVERY: Duration = Duration::from_secs(30);
/// How often a record of an unknown schema is tried again: its schema may have arrived.
pub(crate) const BLOCKED_RETRY: Duration = Duration::from_secs(1);
/// What remains of a wait when the tier's delay is over, and is so short that it isn't worth another tier.
const HOLD_MS: i64 = 1_000;

/// A record whose time has come.
#[derive(Debug)]
pub(crate) struct Due {
    pub record: Record,
    pub content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// The record's value is dropped.
    Delivery(Box<Delivery>),
    /// It is no delivery at all, and why.
    Unreadable(String),
}

/// One tier's queue.
#[derive(Debug)]
pub(crate) struct Queue {
    delay_ms: i64,
    topic: Arc<str>,
    tracker: Tracker,
    /// By when they are due, Unix milliseconds, and the tracker's number.
    waiting: BTreeMap<(i64, u64), Due>,
    /// Behind a record that blocks, or more than the tracker could remember.
    unread: VecDeque<Record>,
    blocked: Option<Blocked>,
    /// Where reading would begin: everything below has been moved on.
    pub(crate) settled: i64,
}

/// A record of an unknown schema.
#[derive(Debug)]
struct Blocked {
    record: Record,
    seq: u64,
    tried: Instant,
    alerted: Instant,
}

impl Queue {
    /// Goes on from what is committed, reading from `first` on.
    pub(crate) fn resume(delay_sec: u32, committed: &Committed, first: i64, identity: Identity) -> Self {
        // Where reading begins elsewhere, the metadata says nothing about it.
        let metadata = (committed.offset == Some(first)).then_some(committed.metadata.as_str());
        Self {
            delay_ms: i64::from(delay_sec) * 1000,
            topic: committed.partition.topic.clone(),
            tracker: Tracker::resume(first, metadata, identity),
            waiting: BTreeMap::new(),
            unread: VecDeque::new(),
            blocked: None,
            settled: first,
        }
    }

    pub(crate) fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    pub(crate) fn push(&mut self, record: Record) {
        self.unread.push_back(record);
    }

    /// Whether the record next in line can't be decoded yet.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// When the oldest delivery began to wait, Unix milliseconds.
    pub(crate) fn oldest_ms(&self) -> Option<i64> {
        let waiting = self.waiting.values().map(|due| match &due.content {
            Content::Delivery(delivery) if delivery.wait_since_ms > 0 => delivery.wait_since_ms,
            _ => due.record.timestamp_ms,
        });
        let others = self.blocked.iter().map(|blocked| &blocked.record).chain(&self.unread);
        waiting.chain(others.map(|record| record.timestamp_ms)).min()
    }

    /// When the first one is due, Unix milliseconds.
    pub(crate) fn due_ms(&self) -> Option<i64> {
        self.waiting.first_key_value().map(|((due_ms, _), _)| *due_ms)
    }

    /// Takes the one that is due first, when it is due at `now_ms`. It counts as moved on from the next
    /// [`Queue::take_commit`] on.
    pub(crate) fn pop(&mut self, now_ms: i64) -> Option<Due> {
        if self.due_ms()? > now_ms {
            return None;
        }
        let ((_, seq), due) = self.waiting.pop_first()?;
        self.tracker.done(seq);
        Some(due)
    }

    /// What to commit for all that was taken; None when nothing was since the last one.
    pub(crate) fn take_commit(&mut self, partition: i32) -> Option<Commit> {
        let point = self.tracker.take_commit()?;
        Some(self.commit(partition, point))
    }

    /// Where it stands, changed or not.
    pub(crate) fn standing(&self, partition: i32) -> Commit {
        self.commit(partition, self.tracker.commit_point())
    }

    fn commit(&self, partition: i32, point: CommitPoint) -> Commit {
        Commit {
            partition: TopicPartition::new(self.topic.clone(), partition),
            offset: point.offset,
            metadata: point.metadata,
        }
    }

    /// Looks into what was read.
    pub(crate) fn look(&mut self, schemas: &dyn WriterSchemas) {
        if let Some(blocked) = self.blocked.take_if(|blocked| blocked.tried.elapsed() >= BLOCKED_RETRY) {
            self.admit(blocked.record, blocked.seq, Some(blocked.alerted), schemas);
        }
        while self.blocked.is_none()
            && self.tracker.has_room()
            && let Some(record) = self.unread.pop_front()
        {
            let read = self.tracker.read(record.offset);
            // A predecessor has moved it on.
            if !read.already_done {
                self.admit(record, read.seq, None, schemas);
            }
        }
    }

    fn admit(&mut self, mut record: Record, seq: u64, alerted: Option<Instant>, schemas: &dyn WriterSchemas) {
        let (due_ms, content) = match decode(&record, schemas) {
            Ok(delivery) => {
                record.value = None;
                (
                    self.leaves_ms(&record, &delivery),
                    Content::Delivery(Box::new(delivery)),
                )
            }
            Err(error) if error.is_unknown_schema() => return self.block(record, seq, alerted, &error),
            Err(error) => {
                let (topic, partition, offset) = (&record.topic, record.partition, record.offset);
                tracing::error!(
                    %topic, partition, offset, %error,
                    "a record of a retry topic is no delivery; it goes to the topic `rejected`"
                );
                (0, Content::Unreadable(error.to_string()))
            }
        };
        self.waiting.insert((due_ms, seq), Due { record, content });
    }

    /// When it leaves this tier: as soon as it is due, else when the delay is over.
    fn leaves_ms(&self, record: &Record, delivery: &Delivery) -> i64 {
        let passed_ms = record.timestamp_ms + self.delay_ms;
        if delivery.due_at_ms.saturating_sub(passed_ms) <= HOLD_MS {
            delivery.due_at_ms
        } else {
            passed_ms
        }
    }

    fn block(&mut self, record: Record, seq: u64, alerted: Option<Instant>, error: &DecodeError) {
        metrics::counter!("hookline_blocked_total", "why" => "unknown_schema").increment(1);
        let now = Instant::now();
        let alerted = alerted
            .filter(|alerted| alerted.elapsed() < ALERT_EVERY)
            .unwrap_or_else(|| {
                let (topic, partition, offset) = (&record.topic, record.partition, record.offset);
                tracing::error!(
                    %topic, partition, offset, %error,
                    "a waiting delivery was written with a schema that this version and the ledger don't know; nothing \
                     behind it is released until it is known; upgrade this scheduler if that lasts"
                );
                now
            });
        self.blocked = Some(Blocked {
            record,
            seq,
            tried: now,
            alerted,
        });
    }
}

fn decode(record: &Record, schemas: &dyn WriterSchemas) -> Result<Delivery, DecodeError> {
    let value = record
        .value
        .as_ref()
        .ok_or_else(|| DecodeError::Corrupt("no value".into()))?;
    schemas::decode(value, schemas)
}
