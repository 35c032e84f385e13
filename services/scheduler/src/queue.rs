//! What has been read of one partition of one retry topic, and when its head is due.

use kafka_log::Record;
use schemas::{DecodeError, Delivery, WriterSchemas};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// How often a partition that can't go on says so.
const ALERT_EVERY: Duration = Duration::from_secs(30);

/// A record whose time has come.
#[derive(Debug)]
pub(crate) struct Due {
    /// Index into the tiers.
    pub tier: usize,
    pub record: Record,
    pub delivery: Delivery,
}

/// One tier's queue, in the order of the partition.
#[derive(Debug)]
pub(crate) struct Queue {
    tier: usize,
    delay_ms: i64,
    topic: Arc<str>,
    records: VecDeque<Record>,
    head: Head,
    /// Where reading would go on: everything below has been moved on.
    pub(crate) settled: i64,
}

#[derive(Debug)]
enum Head {
    Unread,
    Ready {
        delivery: Box<Delivery>,
        due_ms: i64,
    },
    /// Can't be decoded yet, and nothing may overtake it.
    Blocked {
        alerted: Instant,
    },
}

impl Queue {
    pub(crate) fn new(tier: usize, delay_sec: u32, topic: Arc<str>, start: i64) -> Self {
        let delay_ms = i64::from(delay_sec) * 1000;
        Self {
            tier,
            delay_ms,
            topic,
            records: VecDeque::new(),
            head: Head::Unread,
            settled: start,
        }
    }

    pub(crate) fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    pub(crate) fn push(&mut self, record: Record) {
        self.records.push_back(record);
    }

    pub(crate) fn is_blocked(&self) -> bool {
        matches!(self.head, Head::Blocked { .. })
    }

    /// When the head began to wait, Unix milliseconds.
    pub(crate) fn oldest_ms(&self) -> Option<i64> {
        let record = self.records.front()?;
        match &self.head {
            Head::Ready { delivery, .. } if delivery.wait_since_ms > 0 => Some(delivery.wait_since_ms),
            _ => Some(record.timestamp_ms),
        }
    }

    /// When the head is due, Unix milliseconds: when its tier's delay is over, or before that when the delivery itself
    /// is due. None when there is nothing, or when it can't be decoded.
    pub(crate) fn due_ms(&mut self, schemas: &dyn WriterSchemas) -> Option<i64> {
        let record = self.records.front()?;
        if let Head::Ready { due_ms, .. } = self.head {
            return Some(due_ms);
        }
        match decode(record, schemas) {
            Ok(delivery) => {
                let due_ms = (record.timestamp_ms + self.delay_ms).min(delivery.due_at_ms);
                self.head = Head::Ready {
                    delivery: Box::new(delivery),
                    due_ms,
                };
                Some(due_ms)
            }
            Err(error) => {
                self.block(&error);
                None
            }
        }
    }

    /// Takes the head when it is due at `now_ms`.
    pub(crate) fn pop(&mut self, now_ms: i64, schemas: &dyn WriterSchemas) -> Option<Due> {
        if self.due_ms(schemas)? > now_ms {
            return None;
        }
        let Head::Ready { delivery, .. } = std::mem::replace(&mut self.head, Head::Unread) else {
            return None;
        };
        let record = self.records.pop_front()?;
        Some(Due {
            tier: self.tier,
            record,
            delivery: *delivery,
        })
    }

    fn block(&mut self, error: &DecodeError) {
        if let Head::Blocked { alerted } = self.head
            && alerted.elapsed() < ALERT_EVERY
        {
            return;
        }
        self.head = Head::Blocked {
            alerted: Instant::now(),
        };
        if let Some(record) = self.records.front() {
            let (topic, partition, offset) = (&record.topic, record.partition, record.offset);
            tracing::error!(
                %topic, partition, offset, %error,
                "a waiting delivery can't be decoded; nothing behind it is released until this scheduler is upgraded"
            );
        }
    }
}

fn decode(record: &Record, schemas: &dyn WriterSchemas) -> Result<Delivery, DecodeError> {
    let value = record
        .value
        .as_ref()
        .ok_or_else(|| DecodeError::Corrupt("no value".into()))?;
    schemas::decode(value, schemas)
}
