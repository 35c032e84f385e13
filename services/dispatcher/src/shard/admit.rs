//! What is done with a record that was read: sent, kept waiting, deferred, forwarded, or ended.

use super::{ASK_AGAIN_AFTER, Event, Shard, Slot, Waiting};
use crate::{
    readers::Class,
    target::{Status, Target},
};
use delivery_core::{
    health::Health,
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

impl Shard {
    /// Takes a record over from a reader. It waits, within its partition's window, while the tracker has no room for it.
    pub(super) async fn admit(&mut self, record: Record) {
        if let Some(stream) = self.streams.index(&record.topic)
            && let Some(record) = self.streams.unless_stalled(stream, record)
        {
            self.take_in(stream, record).await;
        }
    }

    /// Goes on with what wasn't understood, and with what waited for its tracker, where there is room again.
    pub(super) async fn go_on_with_stalled(&mut self) {
        while self.stopping.is_none()
            && let Some((record, slot)) = self.streams.next_blocked(Instant::now())
        {
            self.understand(record, slot).await;
        }
        while self.stopping.is_none()
            && let Some((stream, record)) = self.streams.next_stalled()
        {
            self.take_in(stream, record).await;
        }
    }

    async fn take_in(&mut self, stream: usize, record: Record) {
        let reading = self.streams.get_mut(stream);
        if !reading.tracker.follows(record.offset) {
            tracing::error!(topic = %record.topic, partition = record.partition, offset = record.offset, "the log begins again");
            reading.tracker.restart(record.offset);
            reading.committed = record.offset;
        }
        let read = reading.tracker.read(record.offset);
        reading.oldest.read(record.offset, record.timestamp_ms);
        if read.already_done {
            metrics::counter!("hookline_repeats_skipped_total", "by" => "commit_metadata").increment(1);
            self.commit_soon();
            return;
        }
        self.understand(record, Slot { stream, seq: read.seq }).await;
    }

    /// What can't be understood yet (its schema is unknown, or the ledger can't be asked) blocks its partition, loudly; it
    /// may well be readable after an upgrade. What is no delivery at all goes to `rejected`.
    async fn understand(&mut self, record: Record, slot: Slot) {
        let class = self.streams.get(slot.stream).class;
        let value = record.value.clone().unwrap_or_default();
        let view = self.ctx.ledger.view();
        let delivery = match codec::decode::<Delivery>(&value, &*view) {
            Ok(delivery) => delivery,
            Err(error) if error.is_unknown_schema() => {
                tracing::error!(
                    topic = %record.topic, partition = record.partition, offset = record.offset, %error,
                    "a delivery was written with a schema that this version and the ledger don't know; waiting for it"
                );
                return self.block(record, slot, "unknown_schema");
            }
            Err(error) => {
                tracing::error!(
                    topic = %record.topic, partition = record.partition, offset = record.offset, %error,
                    "a record of a delivery topic is no delivery; it goes to the topic `rejected`"
                );
                let rejected = self.ctx.unreadable(&record, error.to_string(), now_ms());
                return self.write_aside(vec![rejected], slot, None, None).await;
            }
        };
        let found = match self.find_target(&delivery).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the ledger's end can't be read; waiting");
                return self.block(record, slot, "ledger");
            }
        };
        let arrived = Arrived {
            slot,
            class,
            bytes: record.credit.bytes(),
            credit: Some(record.credit),
        };
        if class == Class::Returns && delivery.cause == "deferral" {
            self.queues.is_back(&delivery.endpoint_id);
        }
        match found {
            Some(target) => self.place(delivery, arrived, &target).await,
            None => self.cancel(delivery, arrived).await,
        }
    }

    fn block(&mut self, record: Record, slot: Slot, why: &'static str) {
        metrics::counter!("hookline_blocked_total", "why" => why).increment(1);
        self.streams.block(record, slot, Instant::now() + ASK_AGAIN_AFTER);
    }

    /// The endpoint as the ledger has it; one that isn't there is looked for once more behind the ledger's end.
    async fn find_target(&mut self, delivery: &Delivery) -> Result<Option<Arc<Target>>, ledger::Error> {
        let mut view = self.ctx.ledger.view();
        if view.endpoint(&delivery.endpoint_id).is_none() {
            view = self.ctx.ledger.barrier().await?;
        }
        let Some(version) = view.endpoint(&delivery.endpoint_id).map(|e| e.version) else {
            return Ok(None);
        };
        if let Some(queue) = self.queues.get(&delivery.endpoint_id)
            && queue.target.version >= version
        {
            return Ok(Some(queue.target.clone()));
        }
        let found = self.ctx.targets.find(&view, &delivery.endpoint_id).map(Arc::new);
        if let Some(target) = &found {
            self.queues.of(target);
        }
        Ok(found)
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
        if is_expired(now, delivery.matched_at_ms, self.ctx.max_age_ms()) {
            return self.bury(delivery, arrived, Reason::Expired).await;
        }
        match target.status {
            Status::Disabled => self.bury(delivery, arrived, Reason::EndpointDisabled).await,
            Status::Paused if arrived.class != Class::Dedicated => {
                let paused_ms = (now - target.changed_at_ms).max(0) as f64;
                self.defer(delivery, arrived, (paused_ms / 2.0).max(5_000.0)).await;
            }
            _ if !target.can_sign(now) && arrived.class != Class::Dedicated => {
                self.defer(delivery, arrived, UNSIGNABLE_WAIT_MS).await;
            }
            _ => self.keep(delivery, arrived, target).await,
        }
    }

    /// Puts it into its endpoint's queue, or defers it for as long as that queue would take. What returns makes what is
    /// new wait in its place.
    async fn keep(&mut self, mut delivery: Delivery, mut arrived: Arrived, target: &Arc<Target>) {
        if let Some(health) = self.queues.of(target).health.filter(Health::is_open) {
            match self.meet_circuit(delivery, arrived, health).await {
                Some(kept) => (delivery, arrived) = kept,
                None => return,
            }
        }
        let returned = arrived.class == Class::Returns;
        let dedicated = arrived.class == Class::Dedicated;
        let share = loop {
            let queue = self.queues.of(target);
            let (held, drain_ms) = (queue.bytes, queue.drain_ms());
            if dedicated {
                break self.ctx.budget.take_windowed(arrived.bytes);
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
            class: arrived.class,
        };
        self.queues.push(target, waiting);
    }

    /// Defers what was in memory.
    pub(super) async fn defer_waiting(&mut self, waiting: Waiting, for_ms: f64) {
        let (delivery, arrived) = waiting.into_arrived();
        self.defer(delivery, arrived, for_ms).await;
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
        self.queues.deferred(&delivery.endpoint_id);
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
    pub(super) async fn bury(&mut self, delivery: Delivery, arrived: Arrived, reason: Reason) {
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
