//! What the topic `log` says became of every delivery: read in full, folded by precedence (within a replay
//! generation delivered > dead or cancelled > pending). Independent of the product's own folding.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use kafka_log::Connection;
use schemas::{AttemptResult, LogRecord, OwnSchemas, codec};

use crate::topic::read_to_end;

/// What became of a delivery, in the order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Pending,
    Cancelled,
    Dead,
    Delivered,
}

/// One delivery as the log tells it.
#[derive(Debug, Clone)]
pub struct Fate {
    pub event_id: String,
    pub endpoint_id: String,
    /// By replay generation, from 0.
    pub outcomes: BTreeMap<i32, Outcome>,
    /// Attempt records, repeats included.
    pub attempts: usize,
    /// Reasons of death or cancellation.
    pub reasons: BTreeSet<String>,
}

impl Fate {
    /// What it came to: the last generation's word.
    pub fn outcome(&self) -> Outcome {
        self.outcomes
            .last_key_value()
            .map_or(Outcome::Pending, |(_, outcome)| *outcome)
    }

    /// Replays that began.
    pub fn replays(&self) -> usize {
        self.outcomes.keys().filter(|generation| **generation > 0).count()
    }

    fn learn(&mut self, generation: i32, outcome: Outcome) {
        let known = self.outcomes.entry(generation).or_insert(outcome);
        *known = (*known).max(outcome);
    }
}

/// All deliveries of an installation, by delivery id.
#[derive(Debug, Clone, Default)]
pub struct Logbook {
    pub deliveries: BTreeMap<String, Fate>,
    /// Ids of the events that were matched, also with no endpoint.
    pub events: BTreeSet<String>,
}

impl Logbook {
    /// Reads the whole topic as it is now.
    pub async fn read(connection: &Connection) -> anyhow::Result<Self> {
        let topic = connection.names().log();
        let mut logbook = Self::default();
        for record in read_to_end(connection, &topic).await? {
            let value = record.value.as_deref().context("the log holds no tombstones")?;
            let record: LogRecord = codec::decode(value, &OwnSchemas)?;
            logbook.note(record);
        }
        Ok(logbook)
    }

    /// By event and endpoint.
    pub fn by_pair(&self) -> BTreeMap<(&str, &str), &Fate> {
        self.deliveries
            .values()
            .map(|fate| ((fate.event_id.as_str(), fate.endpoint_id.as_str()), fate))
            .collect()
    }

    /// Deliveries with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.deliveries
            .values()
            .filter(|fate| fate.outcome() == outcome)
            .count()
    }

    fn note(&mut self, record: LogRecord) {
        let event_id = record.event_id;
        if let Some(matched) = record.matched {
            self.events.insert(event_id.clone());
            for endpoint in matched.endpoints {
                self.fate(&event_id, endpoint.delivery_id, endpoint.endpoint_id)
                    .learn(0, Outcome::Pending);
            }
        }
        if let Some(attempt) = record.attempt {
            let fate = self.fate(&event_id, attempt.delivery_id, attempt.endpoint_id);
            fate.attempts += 1;
            fate.reasons.extend(attempt.reason);
            let outcome = match attempt.result {
                AttemptResult::Delivered => Outcome::Delivered,
                AttemptResult::Retry => Outcome::Pending,
                AttemptResult::Dead => Outcome::Dead,
            };
            fate.learn(attempt.generation, outcome);
        }
        if let Some(settled) = record.settled {
            let fate = self.fate(&event_id, settled.delivery_id, settled.endpoint_id);
            let outcome = if settled.outcome == "cancelled" {
                Outcome::Cancelled
            } else {
                Outcome::Dead
            };
            fate.reasons.insert(settled.reason);
            fate.learn(settled.generation, outcome);
        }
        if let Some(replayed) = record.replayed {
            self.fate(&event_id, replayed.delivery_id, replayed.endpoint_id)
                .learn(replayed.generation, Outcome::Pending);
        }
    }

    fn fate(&mut self, event_id: &str, delivery_id: String, endpoint_id: String) -> &mut Fate {
        self.deliveries.entry(delivery_id).or_insert_with(|| Fate {
            event_id: event_id.to_owned(),
            endpoint_id,
            outcomes: BTreeMap::new(),
            attempts: 0,
            reasons: BTreeSet::new(),
        })
    }
}
