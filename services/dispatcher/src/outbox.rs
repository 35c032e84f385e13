//! What is written down about a delivery: retries, deferrals, dead letters, log records. Nothing counts as done before
//! the brokers have it.

use crate::{context::Context, target::Target};
use delivery_core::{murmur2::partition, outcome::Reason, tier::Hop};
use kafka_log::Outgoing;
use schemas::{DeadLetter, Delivery, LogRecord, Rejected, Settled, Source, codec};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

const RETRY_PARTITIONS: i32 = 8;
const DLQ_PARTITIONS: i32 = 8;
const LOG_PARTITIONS: i32 = 16;
const REJECTED_PARTITIONS: i32 = 4;

impl Context {
    /// Writes all, again and again until the brokers have them. False: the shard was given up first, and the next
    /// owner does it over.
    pub(crate) async fn write_until_done(&self, records: &[Outgoing], given_up: &AtomicBool) -> bool {
        let mut tries = 0_u32;
        loop {
            match self.producer.write_all(records).await {
                Ok(_) => return true,
                Err(error) => {
                    tries += 1;
                    let topics: Vec<&str> = records.iter().map(|r| r.topic.as_str()).collect();
                    if error.is_refusal() {
                        error.raise("what a delivery has come to can't be written");
                    }
                    tracing::warn!(%error, ?topics, tries, "a record could not be written; trying again");
                    if given_up.load(Ordering::Relaxed) {
                        return false;
                    }
                    tokio::time::sleep(Duration::from_millis(u64::from(tries.min(10)) * 200)).await;
                }
            }
        }
    }

    /// The record that makes a delivery wait until `due_at_ms`.
    pub(crate) fn waiting(&self, mut delivery: Delivery, due_at_ms: i64, now_ms: i64) -> Outgoing {
        delivery.due_at_ms = due_at_ms;
        delivery.wait_since_ms = now_ms;
        delivery.hops = 1;
        let topic = match delivery_core::tier::next_hop(now_ms, due_at_ms, now_ms, 0) {
            Hop::Tier(seconds) => self.names.retry(seconds),
            Hop::Release => return self.returned(&delivery),
        };
        let partition = partition(delivery.endpoint_id.as_bytes(), RETRY_PARTITIONS);
        Outgoing::new(topic, partition, delivery.endpoint_id.as_bytes(), encoded(&delivery))
    }

    fn returned(&self, delivery: &Delivery) -> Outgoing {
        let shard = self.shard_of(&delivery.endpoint_id);
        Outgoing::new(
            self.names.returns(),
            shard,
            delivery.endpoint_id.as_bytes(),
            encoded(delivery),
        )
    }

    /// The record that puts a delivery where its endpoint lives.
    pub(crate) fn forwarded(&self, delivery: &Delivery, target: &Target) -> Outgoing {
        let (topic, partition) = match target.dedicated_topic {
            Some(number) => (self.names.endpoint(&delivery.endpoint_id, number), 0),
            None => (self.names.lanes(), self.shard_of(&delivery.endpoint_id)),
        };
        Outgoing::new(topic, partition, delivery.endpoint_id.as_bytes(), encoded(delivery))
    }

    pub(crate) fn dead_letter(&self, delivery: &Delivery, reason: Reason, now_ms: i64) -> Outgoing {
        let letter = DeadLetter {
            delivery: delivery.clone(),
            reason: reason.as_str().to_owned(),
            died_at_ms: now_ms,
        };
        let partition = partition(delivery.delivery_id.as_bytes(), DLQ_PARTITIONS);
        let key = DeadLetter::key(&delivery.delivery_id, delivery.generation);
        Outgoing::new(self.names.dlq(), partition, key, encoded(&letter))
    }

    /// The log record of a delivery that ends without an attempt: `dead` or `cancelled`.
    pub(crate) fn settled(&self, delivery: &Delivery, outcome: &str, reason: Reason, now_ms: i64) -> Outgoing {
        let settled = Settled {
            delivery_id: delivery.delivery_id.clone(),
            endpoint_id: delivery.endpoint_id.clone(),
            generation: delivery.generation,
            outcome: outcome.to_owned(),
            reason: reason.as_str().to_owned(),
        };
        self.logged(delivery, now_ms, |record| record.settled = Some(settled))
    }

    /// A log record of this delivery's event.
    pub(crate) fn logged(&self, delivery: &Delivery, now_ms: i64, fill: impl FnOnce(&mut LogRecord)) -> Outgoing {
        let mut record = LogRecord::blank(&delivery.event_id, &delivery.tenant, &delivery.event_type, now_ms);
        fill(&mut record);
        let partition = partition(delivery.event_id.as_bytes(), LOG_PARTITIONS);
        Outgoing::new(
            self.names.log(),
            partition,
            delivery.event_id.as_bytes(),
            encoded(&record),
        )
    }

    /// A record of ours that is no delivery at all: kept in `rejected`, so that it doesn't stop the partition.
    pub(crate) fn unreadable(&self, record: &kafka_log::Record, message: String, now_ms: i64) -> Outgoing {
        let value = record.value.as_deref().unwrap_or_default();
        let key = record.key.as_deref().unwrap_or_default();
        let origin = Source {
            topic: record.topic.to_string(),
            partition: record.partition,
            offset: record.offset,
        };
        let rejected = Rejected::unreadable(origin, message, value, now_ms);
        Outgoing::new(
            self.names.rejected(),
            partition(key, REJECTED_PARTITIONS),
            key,
            encoded(&rejected),
        )
    }
}

fn encoded<R: codec::Record>(record: &R) -> Vec<u8> {
    codec::encode(record).expect("a record of ours always fits its own schema")
}
