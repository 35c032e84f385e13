//! What one record of the log says.

use crate::{Delivery, Event, Last, Outcome, Rejection, Replay, Status};
use schemas::{AttemptLogged, AttemptResult, EventRejected, LogRecord, Matched, Replayed, Settled};

/// An attempt, for an endpoint's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub endpoint_id: String,
    pub at_ms: i64,
    pub duration_ms: i64,
    pub is_success: bool,
}

/// One thing that a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    Event(Event),
    Delivery(Box<Delivery>),
    Tried(Tried),
    Rejected(Rejection),
}

/// All that the record at this position says. A record of a later version, with none of the parts known here, says nothing.
#[must_use]
pub fn fold(record: &LogRecord, partition: i32, offset: i64) -> Vec<Fact> {
    let LogRecord {
        matched,
        attempt,
        settled,
        replayed,
        rejected,
        ..
    } = record;
    if let Some(rejected) = rejected {
        return vec![Fact::Rejected(of_rejected(record, rejected))];
    }
    if let Some(matched) = matched {
        return of_matched(record, matched, partition, offset);
    }
    let delivery = match (attempt, settled, replayed) {
        (Some(attempt), _, _) => return of_attempt(record, attempt, partition, offset),
        (_, Some(settled), _) => of_settled(record, settled, partition),
        (_, _, Some(replayed)) => of_replayed(record, replayed, partition),
        _ => return Vec::new(),
    };
    vec![Fact::Delivery(Box::new(delivery))]
}

fn of_matched(record: &LogRecord, matched: &Matched, partition: i32, offset: i64) -> Vec<Fact> {
    let event = Event {
        id: record.event_id.clone(),
        tenant: record.tenant.clone(),
        event_type: matched.event_type.clone(),
        matched_at_ms: record.at_ms,
        log_partition: partition,
        // The body is in the first chunk alone.
        log_offset: if matched.chunk == 0 { offset } else { -1 },
    };
    let deliveries = matched.endpoints.iter().map(|endpoint| {
        let ids = (endpoint.delivery_id.as_str(), endpoint.endpoint_id.as_str());
        let mut delivery = blank(record, ids, 0, partition);
        delivery.event_type.clone_from(&matched.event_type);
        Fact::Delivery(Box::new(delivery))
    });
    std::iter::once(Fact::Event(event)).chain(deliveries).collect()
}

/// What was rejected may say anything, and Postgres takes no NUL in a text.
fn of_rejected(record: &LogRecord, rejected: &EventRejected) -> Rejection {
    let text = |text: &str| text.replace('\0', "\u{fffd}");
    Rejection {
        tenant: record.tenant.clone(),
        event_id: text(&record.event_id),
        event_type: text(&record.event_type),
        at_ms: record.at_ms,
        reason: rejected.reason.clone(),
        message: text(&rejected.message),
        topic: rejected.source.topic.clone(),
        partition: rejected.source.partition,
        offset: rejected.source.offset,
    }
}

fn of_attempt(record: &LogRecord, attempt: &AttemptLogged, partition: i32, offset: i64) -> Vec<Fact> {
    let ids = (attempt.delivery_id.as_str(), attempt.endpoint_id.as_str());
    let mut delivery = blank(record, ids, attempt.generation, partition);
    delivery.outcome.status = match attempt.result {
        AttemptResult::Delivered => Status::Delivered,
        AttemptResult::Retry => Status::Pending,
        AttemptResult::Dead => Status::Failed,
    };
    delivery.outcome.reason.clone_from(&attempt.reason);
    delivery.last = Some(Last {
        number: attempt.number,
        started_at_ms: attempt.started_at_ms,
        generation: attempt.generation,
        status_code: attempt.status_code,
        error: attempt.error.clone(),
        next_attempt_at_ms: attempt.next_attempt_at_ms,
    });
    delivery.attempts = vec![offset];
    let tried = Tried {
        endpoint_id: attempt.endpoint_id.clone(),
        at_ms: record.at_ms,
        duration_ms: attempt.duration_ms,
        is_success: attempt.result == AttemptResult::Delivered,
    };
    vec![Fact::Delivery(Box::new(delivery)), Fact::Tried(tried)]
}

fn of_settled(record: &LogRecord, settled: &Settled, partition: i32) -> Delivery {
    let ids = (settled.delivery_id.as_str(), settled.endpoint_id.as_str());
    let mut delivery = blank(record, ids, settled.generation, partition);
    // `dead` and `cancelled`: in both nothing more comes.
    delivery.outcome.status = Status::Failed;
    delivery.outcome.reason = Some(settled.reason.clone());
    delivery
}

fn of_replayed(record: &LogRecord, replayed: &Replayed, partition: i32) -> Delivery {
    let ids = (replayed.delivery_id.as_str(), replayed.endpoint_id.as_str());
    let mut delivery = blank(record, ids, replayed.generation, partition);
    delivery.replay = Some(Replay {
        generation: replayed.generation,
        at_ms: record.at_ms,
        by: replayed.by.clone(),
    });
    delivery
}

/// Pending in this generation, of which nothing more is known.
fn blank(record: &LogRecord, (id, endpoint_id): (&str, &str), generation: i32, partition: i32) -> Delivery {
    Delivery {
        id: id.to_owned(),
        tenant: record.tenant.clone(),
        event_id: record.event_id.clone(),
        endpoint_id: endpoint_id.to_owned(),
        event_type: record.event_type.clone(),
        created_at_ms: record.at_ms,
        updated_at_ms: record.at_ms,
        outcome: Outcome {
            generation,
            status: Status::Pending,
            at_ms: record.at_ms,
            reason: None,
        },
        last: None,
        replay: None,
        log_partition: partition,
        attempts: Vec::new(),
    }
}
