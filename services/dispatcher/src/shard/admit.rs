//! What is done with a record that was read: sent, kept waiting, deferred, forwarded, or ended.

use super::{ASK_AGAIN_AFTER, Event, Shard, Slot, Waiting};
use crate::{
    readers::Class,
    target::{Status, Target},
};
use delivery_core::{
    outcome::{Reason, is_expired},
    recent::{attempt_key, settled_key},
};
use kafka_log::{Credit, Outgoing, Record};
use runtime::clock::now_ms;
use schemas::{Delivery, codec};
use std::sync::Arc;
use tokio::time::Instant;

/// Longest deferral, in milliseconds: what was deferred is looked at again at least that often.
const MAX_HOP_MS: f64 = 600_000.0;
/// How long a delivery is deferred when its endpoint's secret can't be decrypted: nothing is ever sent unsigned.
const UNSIGNABLE_WAIT_MS: f64 = 60_000.0;

/// Where a delivery stands that was read.
pub(super) struct Arrived {
    pub(super) slot: Slot,
    pub(super) class: Class,
    /// What it takes of the process's budget.
    pub(super) bytes: usize,
    /// What it occupies of its partition's window.
    pub(super) credit: Option<Credit>,
}

/// What the ledger says of a delivery's endpoint.
enum Found {
    Target(Arc<Target>),
    Nothing,
    /// The shard was taken away while the ledger couldn't be asked.
    Stopped,
}

impl Shard {
    /// Takes a record over from a reader. It waits, within its partition's window, while the tracker has no room for it.
    pub(super) async fn admit(&mut self, record: Record) {
        if let Some(stream) = self.streams.index(&record.topic)
            && let Some(record) = self.streams.unless_stalled(stream, record)
        {
            self.take_in(stream, record).await;
        }
    }

    /// Goes on with what waited for its tracker, where there is room again.
    pub(super) async fn go_on_with_stalled(&mut self) {
        while self.stopping.is_none()
            && let Some((stream, record)) = self.streams.next_stalled()
        {
            self.take_in(stream, record).await;
        }
    }

    async fn take_in(&mut self, stream: usize, record: Record) {
        let class = self.streams.get(stream).class;
        let reading = self.streams.get_mut(stream);
        let read = reading.tracker.read(record.offset);
        reading.oldest.read(record.offset, record.timestamp_ms);
        if read.already_done {
            metrics::counter!("hookline_repeats_skipped_total", "by" => "commit_metadata").increment(1);
            self.commit_soon();
            return;
        }
        let slot = Slot { stream, seq: read.seq };
        let Some(delivery) = self.decode(&record, slot).await else {
            return;
        };
        let arrived = Arrived {
            slot,
            class,
            bytes: record.credit.bytes(),
            credit: Some(record.credit),
        };
        match self.find_target(&delivery).await {
            Found::Target(target) => self.place(delivery, arrived, &target).await,
            Found::Nothing => self.cancel(delivery, arrived).await,
            // Not done, so not committed: the next owner reads it.
            Found::Stopped => {}
        }
    }

    /// The delivery in a record; what is none is put into `rejected`. A schema that nobody knows blocks the shard,
    /// loudly: the record may well be readable after an upgrade.
    async fn decode(&mut self, record: &Record, slot: Slot) -> Option<Delivery> {
        let value = record.value.clone().unwrap_or_default();
        loop {
            let view = self.ctx.ledger.view();
            match codec::decode::<Delivery>(&value, &*view) {
                Ok(delivery) => return Some(delivery),
                Err(error) if error.is_unknown_schema() => {
                    tracing::error!(
                        topic = %record.topic, partition = record.partition, offset = record.offset, %error,
                        "a delivery was written with a schema that this version and the ledger don't know; waiting for it"
                    );
                    metrics::counter!("hookline_blocked_total", "why" => "unknown_schema").increment(1);
                    if self.interrupted_within(ASK_AGAIN_AFTER).await {
                        return None;
                    }
                }
                Err(error) => {
                    tracing::error!(
                        topic = %record.topic, partition = record.partition, offset = record.offset, %error,
                        "a record of a delivery topic is no delivery; it goes to the topic `rejected`"
                    );
                    let rejected = self.ctx.unreadable(record, error.to_string(), now_ms());
                    self.write_aside(vec![rejected], slot, None, None).await;
                    return None;
                }
            }
        }
    }

    /// The endpoint as the ledger has it; one that isn't there is looked for once more behind the ledger's end.
    async fn find_target(&mut self, delivery: &Delivery) -> Found {
        let mut view = self.ctx.ledger.view();
        if view.endpoint(&delivery.endpoint_id).is_none() {
            view = loop {
                match self.ctx.ledger.barrier().await {
                    Ok(view) => break view,
                    Err(error) => tracing::warn!(%error, "the ledger's end can't be read; waiting"),
                }
                if self.interrupted_within(ASK_AGAIN_AFTER).await {
                    return Found::Stopped;
                }
            };
        }
        let Some(version) = view.endpoint(&delivery.endpoint_id).map(|e| e.version) else {
            return Found::Nothing;
        };
        if let Some(queue) = self.queues.get(&delivery.endpoint_id)
            && queue.target.version >= version
        {
            return Found::Target(queue.target.clone());
        }
        match self.ctx.targets.find(&view, &delivery.endpoint_id).map(Arc::new) {
            Some(target) => {
                self.queues.of(&target);
                Found::Target(target)
            }
            None => Found::Nothing,
        }
    }

    /// Decides by the endpoint's state and what is free.
    pub(super) async fn place(&mut self, delivery: Delivery, arrived: Arrived, target: &Arc<Target>) {
        if target.status == Status::Deleted {
            return self.cancel(delivery, arrived).await;
        }
        if lives_elsewhere(
            &self.ctx.names,
            &self.streams.get(arrived.slot.stream).partition.topic,
            arrived.class,
            target,
        ) {
            let forwarded = self.ctx.forwarded(&delivery, target);
            return self
                .write_aside(vec![forwarded], arrived.slot, None, arrived.credit)
                .await;
        }
        if self.is_repeat(&delivery) {
            metrics::counter!("hookline_repeats_skipped_total", "by" => "recent_set").increment(1);
            return self.settle(arrived.slot);
        }
        let now = now_ms();
        let max_age_ms = i64::try_from(self.ctx.options.max_age.as_millis()).unwrap_or(i64::MAX);
        if is_expired(now, delivery.matched_at_ms, max_age_ms) {
            return self.bury(delivery, arrived, Reason::Expired).await;
        }
        match target.status {
            Status::Disabled => self.bury(delivery, arrived, Reason::EndpointDisabled).await,
            Status::Paused if arrived.class != Class::Dedicated => {
                let paused_ms = (now - target.changed_at_ms).max(0) as f64;
                self.defer(delivery, arrived, (paused_ms / 2.0).max(5_000.0)).await;
            }
            _ if !target.can_sign() && arrived.class != Class::Dedicated => {
                self.defer(delivery, arrived, UNSIGNABLE_WAIT_MS).await;
            }
            _ => self.keep(delivery, arrived, target).await,
        }
    }

    /// Puts it into its endpoint's queue, or defers it for as long as that queue would take. What returns makes what is
    /// new wait in its place.
    async fn keep(&mut self, delivery: Delivery, arrived: Arrived, target: &Arc<Target>) {
        let returned = arrived.class == Class::Returns;
        let dedicated = arrived.class == Class::Dedicated;
        let share = loop {
            let queue = self.queues.of(target);
            let (held, drain_ms) = (queue.bytes, queue.drain_ms());
            if dedicated {
                break self.ctx.budget.take_anyway(&target.tenant, arrived.bytes);
            }
            if let Some(share) = self.ctx.budget.take(&target.tenant, held, arrived.bytes) {
                break share;
            }
            match returned.then(|| self.queues.take_newest(&target.id)).flatten() {
                Some(newest) => self.defer_waiting(newest, drain_ms).await,
                None => return self.defer(delivery, arrived, drain_ms).await,
            }
        };
        let waiting = Waiting {
            delivery,
            slot: arrived.slot,
            share,
            // Of the lanes and `returns` the window bounds what is not here yet: they are read past a slow endpoint.
            credit: arrived.credit.filter(|_| dedicated),
            since: Instant::now(),
            dedicated,
        };
        self.queues.push(target, waiting, returned);
    }

    /// Defers what was in memory.
    pub(super) async fn defer_waiting(&mut self, waiting: Waiting, for_ms: f64) {
        let arrived = Arrived {
            slot: waiting.slot,
            class: Class::Lanes,
            bytes: waiting.share.bytes(),
            credit: waiting.credit,
        };
        drop(waiting.share);
        self.defer(waiting.delivery, arrived, for_ms).await;
    }

    fn is_repeat(&self, delivery: &Delivery) -> bool {
        let attempt = attempt_key(&delivery.delivery_id, delivery.generation, delivery.attempts_made + 1);
        self.recent.contains(attempt)
            || self
                .recent
                .contains(settled_key(&delivery.delivery_id, delivery.generation))
    }

    /// Back into a retry topic without counting an attempt.
    pub(super) async fn defer(&mut self, mut delivery: Delivery, arrived: Arrived, for_ms: f64) {
        metrics::counter!("hookline_deferrals_total").increment(1);
        let now = now_ms();
        delivery.cause = "deferral".into();
        let due = now + for_ms.clamp(1_000.0, MAX_HOP_MS) as i64;
        tracing::debug!(
            event = delivery.event_id,
            delivery = delivery.delivery_id,
            endpoint = delivery.endpoint_id,
            for_ms = due - now,
            "deferred"
        );
        let waiting = self.ctx.waiting(delivery, due, now);
        self.write_aside(vec![waiting], arrived.slot, None, arrived.credit)
            .await;
    }

    /// To the dead letters without an attempt.
    async fn bury(&mut self, delivery: Delivery, arrived: Arrived, reason: Reason) {
        let now = now_ms();
        metrics::counter!("hookline_deliveries_total", "outcome" => "dead", "reason" => reason.as_str()).increment(1);
        metrics::counter!("hookline_dead_letters_total", "reason" => reason.as_str()).increment(1);
        tracing::debug!(
            event = delivery.event_id,
            delivery = delivery.delivery_id,
            endpoint = delivery.endpoint_id,
            reason = reason.as_str(),
            "dead without an attempt"
        );
        let records = vec![
            self.ctx.dead_letter(&delivery, reason, now),
            self.ctx.settled(&delivery, "dead", reason, now),
        ];
        let ended = settled_key(&delivery.delivery_id, delivery.generation);
        self.write_aside(records, arrived.slot, Some(ended), arrived.credit)
            .await;
    }

    /// Its endpoint was deleted: dropped, with a word in the log.
    async fn cancel(&mut self, delivery: Delivery, arrived: Arrived) {
        tracing::debug!(
            event = delivery.event_id,
            delivery = delivery.delivery_id,
            endpoint = delivery.endpoint_id,
            "cancelled: its endpoint was deleted"
        );
        metrics::counter!("hookline_deliveries_total", "outcome" => "cancelled", "reason" => "endpoint_deleted")
            .increment(1);
        let record = self
            .ctx
            .settled(&delivery, "cancelled", Reason::EndpointDeleted, now_ms());
        let ended = settled_key(&delivery.delivery_id, delivery.generation);
        self.write_aside(vec![record], arrived.slot, Some(ended), arrived.credit)
            .await;
    }

    /// Writes beside the loop; the record counts as done when the brokers have them. Waits when too much is being
    /// written already.
    pub(super) async fn write_aside(
        &mut self,
        records: Vec<Outgoing>,
        slot: Slot,
        ended: Option<u128>,
        credit: Option<Credit>,
    ) {
        let permit = self
            .side
            .clone()
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        self.under_way += 1;
        let (ctx, events, given_up) = (self.ctx.clone(), self.events_sender.clone(), self.given_up.clone());
        tokio::spawn(async move {
            let written = ctx.write_until_done(&records, &given_up).await;
            drop((permit, credit));
            if written {
                runtime::crash_point("dispatcher.aside_written");
                // The shard may have ended: the next owner does it over.
                let _ = events
                    .send(Event::Settled {
                        slot,
                        permit: None,
                        ended,
                    })
                    .await;
            }
        });
    }
}

/// A record read where its endpoint no longer lives is forwarded, never sent. What returns comes to the shard itself.
fn lives_elsewhere(names: &kafka_log::Names, topic: &str, class: Class, target: &Target) -> bool {
    match class {
        Class::Returns => false,
        Class::Lanes => target.dedicated_topic.is_some(),
        Class::Dedicated => {
            let here = names.parse_endpoint(topic).map(|(_, number)| number);
            here != target.dedicated_topic
        }
    }
}
