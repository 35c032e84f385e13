//! The records that take a dead letter away.

use crate::{DeadLetterEntry, Error, Obstacle, Topics, receiver};
use kafka_log::{Connection, Outgoing};
use ledger::View;
use schemas::{DeadLetter, Delivery};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Replay,
    Purge,
}

/// Where the records go.
pub(super) struct Targets {
    action: Action,
    by: String,
    dlq: String,
    topics: Topics,
}

impl Targets {
    pub(super) async fn find(connection: &Connection, action: Action, by: String) -> Result<Self, Error> {
        Ok(Self {
            action,
            by,
            dlq: connection.names().dlq(),
            topics: Topics::find(connection).await?,
        })
    }

    /// Why this delivery can't be replayed now, and what to do first.
    pub(super) fn obstacle(&self, delivery: &Delivery, view: &View) -> Option<String> {
        if self.action == Action::Purge {
            return None;
        }
        let id = &delivery.endpoint_id;
        let obstacle = receiver(view, &delivery.tenant, id).err()?;
        Some(match &obstacle {
            Obstacle::Unknown | Obstacle::Deleted => {
                format!("endpoint {id} {obstacle}; export or purge its dead letters")
            }
            Obstacle::Off(_) => format!("endpoint {id} {obstacle}"),
        })
    }

    /// Adds what takes this dead letter away.
    pub(super) fn records(&self, entry: &DeadLetterEntry, now_ms: i64, out: &mut Vec<Outgoing>) -> Result<(), Error> {
        let dead = &entry.dead_letter.delivery;
        self.take_away(entry, out);
        if self.action == Action::Purge {
            return Ok(());
        }
        Ok(self
            .topics
            .replayed(&again(dead.clone(), now_ms), &self.by, now_ms, out)?)
    }

    /// A tombstone for the letter, and a mark that hides whatever is or will be there of generations before: a replay's
    /// under the generation that begins, a purge's under the letter's own.
    fn take_away(&self, entry: &DeadLetterEntry, out: &mut Vec<Outgoing>) {
        let dead = &entry.dead_letter.delivery;
        let reached = match self.action {
            Action::Replay => dead.generation.saturating_add(1),
            Action::Purge => dead.generation,
        };
        let mark = DeadLetter::key(&dead.delivery_id, reached).into_bytes();
        // Nothing comes before the first generation.
        let is_marked = reached > 0;
        if !is_marked || mark != entry.key {
            out.push(Outgoing::tombstone(
                self.dlq.as_str(),
                entry.partition,
                entry.key.as_slice(),
            ));
        }
        if is_marked {
            out.push(Outgoing::new(self.dlq.as_str(), entry.partition, mark, Vec::new()));
        }
    }
}

/// The same delivery from the start of its schedule, due at once; its attempts go on counting, its age begins anew.
fn again(delivery: Delivery, now_ms: i64) -> Delivery {
    Delivery {
        generation: delivery.generation.saturating_add(1),
        matched_at_ms: now_ms,
        schedule_index: 0,
        cause: "replay".into(),
        due_at_ms: 0,
        wait_since_ms: 0,
        hops: 0,
        last_due_at_ms: None,
        ..delivery
    }
}

#[cfg(test)]
mod tests {
    use super::again;
    use schemas::{Delivery, Source};

    #[test]
    fn a_replay_is_as_young_as_a_new_delivery_and_keeps_its_identity() {
        let dead = Delivery {
            delivery_id: "dlv_1".into(),
            event_id: "evt_1".into(),
            tenant: "org_1".into(),
            endpoint_id: "wh_1".into(),
            event_type: "a.b".into(),
            body: b"{}".to_vec(),
            content_type: "application/json".into(),
            event_time_ms: 1,
            matched_at_ms: 2,
            source: Source {
                topic: "events".into(),
                partition: 0,
                offset: 7,
            },
            generation: 1,
            attempts_made: 9,
            schedule_index: 8,
            cause: "retry".into(),
            due_at_ms: 3,
            wait_since_ms: 2,
            hops: 2,
            last_due_at_ms: None,
            traceparent: None,
            attempts: Vec::new(),
        };
        let replayed = again(dead.clone(), 1_000);
        assert_eq!(
            (replayed.generation, replayed.schedule_index, replayed.attempts_made),
            (2, 0, 9)
        );
        assert_eq!(
            (replayed.matched_at_ms, replayed.due_at_ms, replayed.event_time_ms),
            (1_000, 0, 1)
        );
        assert_eq!(
            (replayed.delivery_id, replayed.event_id),
            (dead.delivery_id, dead.event_id)
        );
    }
}
