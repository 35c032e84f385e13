//! How the shard's endpoints are doing: restored when the shard begins, written down as it changes, and what it means for
//! what waits. The rules are `delivery_core::health`.

use super::{Event, SIDE_WRITES, Shard, admit::Arrived};
use crate::{readers::Class, target::Status};
use delivery_core::health::{self, Answer, Circuit, Gate, Health};
use delivery_core::outcome::Reason;
use kafka_log::{Error, Item, Outgoing, TopicPartition};
use runtime::clock::now_ms;
use schemas::{Delivery, codec};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

/// What one attempt said of its endpoint.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) endpoint: Arc<str>,
    /// Of the endpoint in the ledger, as the attempt knew it.
    pub(crate) version: i64,
    pub(crate) answer: Answer,
    pub(crate) was_probe: bool,
    /// It said 410, and is to be disabled for that.
    pub(crate) gone: bool,
    pub(crate) took: Duration,
}

/// A partition of `health` holds few records: who can't read it by then tries again.
const READ_WITHIN: Duration = Duration::from_secs(10);

impl Shard {
    /// Brings back what a former owner wrote down, but for endpoints that were changed since.
    pub(super) async fn restore_health(&mut self) -> Result<(), Error> {
        let view = self.ctx.ledger.view();
        for (endpoint_id, written) in self.read_health().await? {
            let target = self.ctx.targets.find(&view, &endpoint_id).map(Arc::new);
            let target = target.filter(|t| t.status == Status::Active && t.changed_at_ms <= written.last_failure_at_ms);
            match target {
                None => self.health_changed(endpoint_id.into()),
                Some(target) => {
                    let opened = written.opened_at_ms.map(|at_ms| {
                        let probes_made = usize::try_from(written.probes_made).unwrap_or(0);
                        (at_ms, probes_made)
                    });
                    let restored = Health::restored(
                        written.consecutive_failures,
                        written.failing_since_ms,
                        written.last_failure_at_ms,
                        opened,
                        &self.ctx.options.circuit,
                    );
                    self.queues.of(&target).health = Some(restored);
                }
            }
        }
        self.count_open_circuits();
        Ok(())
    }

    /// The last records of the shard's partition of `health`, tombstones left out.
    async fn read_health(&self) -> Result<HashMap<String, schemas::Health>, Error> {
        let partition = TopicPartition::new(self.ctx.names.health(), self.number);
        let mut found = HashMap::new();
        let (first, end) = self.ctx.watermarks.range(&partition.topic, self.number).await?;
        if first == end {
            return Ok(found);
        }
        let (sink, mut items) = mpsc::channel(256);
        self.ctx.readers.add_health(partition.clone(), sink).await?;
        let deadline = Instant::now() + READ_WITHIN;
        loop {
            let item = match timeout_at(deadline, items.recv()).await {
                Ok(Some(item)) => item,
                Ok(None) => return Err(Error::Stopped),
                Err(_) => return Err(Error::Other(format!("{partition} could not be read in time"))),
            };
            let reached = match item {
                Item::Reached { offset, .. } => offset,
                Item::Record(record) => {
                    let key = record.key.as_deref().unwrap_or_default();
                    let endpoint_id = String::from_utf8_lossy(key).into_owned();
                    let written = record
                        .value
                        .as_deref()
                        .map(|value| codec::decode(value, &*self.ctx.ledger.view()));
                    match written {
                        None => drop(found.remove(&endpoint_id)),
                        Some(Ok(written)) => drop(found.insert(endpoint_id, written)),
                        // It is a help: without it the circuit opens once more.
                        Some(Err(error)) => {
                            tracing::warn!(endpoint = endpoint_id, %error, "its health can't be read and begins anew");
                        }
                    }
                    record.offset + 1
                }
            };
            if reached >= end {
                break;
            }
        }
        self.ctx.readers.remove_health(partition).await;
        Ok(found)
    }

    /// An attempt has ended.
    pub(super) async fn answered(&mut self, said: Said) {
        self.queues.ended(&said.endpoint, Some(said.took));
        let Some(queue) = self.queues.get_mut(&said.endpoint) else {
            return;
        };
        let before = queue.health;
        if queue.target.version != said.version {
            return;
        }
        if before.is_none() && said.answer == Answer::Success {
            if self.is_health_unread {
                self.health_changed(said.endpoint);
            }
            return;
        }
        let target = queue.target.clone();
        let after = Health::after(before, said.answer, said.was_probe, now_ms(), &self.ctx.options.circuit);
        queue.health = after;
        let was_open = before.is_some_and(|h| h.is_open());
        let is_open = after.is_some_and(|h| h.is_open());
        self.health_changed(said.endpoint.clone());
        if was_open != is_open {
            let (to, since) = if is_open {
                ("open", "opened")
            } else {
                ("closed", "closed")
            };
            metrics::counter!("hookline_circuit_changes_total", "to" => to).increment(1);
            tracing::info!(endpoint = %said.endpoint, tenant = %target.tenant, "circuit {since}");
            self.count_open_circuits();
        }
        if is_open && (!was_open || said.was_probe) {
            self.place_again(&said.endpoint).await;
        }
        if was_open && !is_open {
            self.queues.reopen(&said.endpoint);
        }
        if was_open != is_open || said.was_probe || self.stopping.is_some() {
            self.write_health();
        }
        match after {
            Some(health) if said.gone => {
                self.ask_to_disable(&said.endpoint, said.version, health, Reason::Gone.as_str())
            }
            Some(health) if health.must_be_disabled(self.ctx.options.auto_disable) => {
                self.ask_to_disable(&said.endpoint, said.version, health, "failing");
            }
            _ => {}
        }
    }

    /// What becomes of a delivery that meets an open circuit: dead when its last scheduled attempt has fallen due,
    /// deferred when another one waits to be the probe already. Given back when it is to wait here.
    pub(super) async fn meet_circuit(
        &mut self,
        mut delivery: Delivery,
        arrived: Arrived,
        health: Health,
    ) -> Option<(Delivery, Arrived)> {
        let now = now_ms();
        let Some(queue) = self.queues.get(&delivery.endpoint_id) else {
            return Some((delivery, arrived));
        };
        let schedule_index = usize::try_from(delivery.schedule_index).unwrap_or(0);
        let last_due = *delivery
            .last_due_at_ms
            .get_or_insert_with(|| health::last_due_ms(now, &queue.target.retry_schedule_sec, schedule_index));
        let is_shut = matches!(health.gate(now), Gate::Shut { .. });
        let has_others = queue.len() > 0;
        if now >= last_due && is_shut {
            self.bury(delivery, arrived, Reason::RetriesExhausted).await;
            return None;
        }
        if arrived.class != Class::Dedicated && is_shut && has_others {
            let for_ms = health::put_off_ms(&health, now).min((last_due - now).max(0));
            self.defer(delivery, arrived, for_ms as f64).await;
            return None;
        }
        Some((delivery, arrived))
    }

    /// Ends what waits in memory for an open circuit and has come to the end of its schedule.
    pub(super) async fn bury_what_outlived_its_schedule(&mut self) {
        for waiting in self.queues.take_outlived(now_ms()) {
            let (delivery, arrived) = waiting.into_arrived();
            self.bury(delivery, arrived, Reason::RetriesExhausted).await;
        }
    }

    /// Ends what has grown too old in memory, such as what waits for a paused endpoint. No more at once than is written at
    /// once.
    pub(super) async fn bury_what_expired(&mut self) {
        for waiting in self.queues.take_expired(now_ms(), self.ctx.max_age_ms(), SIDE_WRITES) {
            let (delivery, arrived) = waiting.into_arrived();
            self.bury(delivery, arrived, Reason::Expired).await;
        }
    }

    /// Its record in `health` is out of date.
    fn health_changed(&mut self, endpoint: Arc<str>) {
        self.unwritten_health.insert(endpoint);
    }

    /// Writes down what has changed, unless that is being done already: then it is done right after it.
    pub(super) fn write_health(&mut self) {
        self.unwritten_health.extend(self.queues.take_reset());
        if self.writing_health {
            self.write_health_again = true;
            return;
        }
        if self.unwritten_health.is_empty() {
            return;
        }
        let records: Vec<Outgoing> = std::mem::take(&mut self.unwritten_health)
            .into_iter()
            .map(|endpoint| self.health_record(&endpoint))
            .collect();
        self.writing_health = true;
        let (ctx, events, given_up) = (self.ctx.clone(), self.events_sender.clone(), self.given_up.clone());
        tokio::spawn(async move {
            ctx.write_until_done(&records, &given_up).await;
            // The shard may have ended.
            let _ = events.send(Event::HealthWritten).await;
        });
    }

    fn health_record(&self, endpoint: &Arc<str>) -> Outgoing {
        let queue = self.queues.get(endpoint);
        match queue.and_then(|q| Some((q.health?, &q.target))) {
            None => Outgoing::tombstone(self.ctx.names.health(), self.number, endpoint.as_bytes()),
            Some((health, target)) => {
                let (circuit, probes_made) = match health.circuit {
                    Circuit::Closed => ("closed", 0),
                    Circuit::Open { probes_made, .. } => ("open", probes_made),
                    Circuit::HalfOpen { probes_made, .. } => ("half_open", probes_made),
                };
                let record = schemas::Health {
                    endpoint_id: endpoint.to_string(),
                    tenant: target.tenant.to_string(),
                    consecutive_failures: health.consecutive_failures,
                    failing_since_ms: health.failing_since_ms,
                    last_failure_at_ms: health.last_failure_at_ms,
                    circuit: circuit.into(),
                    opened_at_ms: health.opened_at_ms(),
                    probes_made: i32::try_from(probes_made).unwrap_or(i32::MAX),
                };
                let value = codec::encode(&record).expect("a record of ours always fits its own schema");
                Outgoing::new(self.ctx.names.health(), self.number, endpoint.as_bytes(), value)
            }
        }
    }

    /// Says how many circuits of this shard are open.
    pub(super) fn count_open_circuits(&mut self) {
        self.say_open_circuits(self.queues.open_circuits());
    }

    pub(super) fn say_open_circuits(&mut self, open: usize) {
        metrics::gauge!("hookline_circuits_open").increment(open as f64 - self.open_circuits as f64);
        self.open_circuits = open;
    }

    /// Asks the clerk, once at a time.
    fn ask_to_disable(&mut self, endpoint: &Arc<str>, version: i64, health: Health, reason: &'static str) {
        if !self.disabling.insert(endpoint.clone()) {
            return;
        }
        let (ctx, events, given_up) = (self.ctx.clone(), self.events_sender.clone(), self.given_up.clone());
        let endpoint = endpoint.clone();
        tokio::spawn(async move {
            ctx.auto_disable(&endpoint, version, health, reason, &given_up).await;
            // The shard may have ended.
            let _ = events.send(Event::Asked { endpoint }).await;
        });
    }
}
