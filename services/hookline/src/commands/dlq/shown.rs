//! A dead letter as it is shown: a line in a list, or in full.

use crate::output::{self, Row};
use replay::DeadLetterEntry;
use serde::Serialize;
use std::fmt::Write as _;

/// A line of the list. The body is in `show` and `export`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    id: String,
    event_id: String,
    event_type: String,
    tenant: String,
    endpoint_id: String,
    reason: String,
    died_at: String,
    attempt_count: i32,
    replay_count: i32,
    last_status_code: Option<i32>,
    last_error: Option<String>,
    partition: i32,
    offset: i64,
}

impl Shown {
    pub fn new(entry: &DeadLetterEntry) -> Self {
        let delivery = &entry.dead_letter.delivery;
        let last = delivery.attempts.last();
        Self {
            id: delivery.delivery_id.clone(),
            event_id: delivery.event_id.clone(),
            event_type: delivery.event_type.clone(),
            tenant: delivery.tenant.clone(),
            endpoint_id: delivery.endpoint_id.clone(),
            reason: entry.dead_letter.reason.clone(),
            died_at: output::time(entry.dead_letter.died_at_ms),
            attempt_count: delivery.attempts_made,
            replay_count: delivery.generation,
            last_status_code: last.and_then(|attempt| attempt.status_code),
            last_error: last.and_then(|attempt| attempt.error.clone()),
            partition: entry.partition,
            offset: entry.offset,
        }
    }
}

impl Row for Shown {
    const HEADERS: &'static [&'static str] = &["ID", "DIED", "REASON", "LAST", "ATTEMPTS", "TYPE", "ENDPOINT"];

    fn cells(&self) -> Vec<String> {
        let status = self.last_status_code.map(|code| code.to_string());
        vec![
            self.id.clone(),
            self.died_at.clone(),
            self.reason.clone(),
            status
                .or_else(|| self.last_error.clone())
                .map_or_else(|| "-".to_owned(), |last| last.chars().take(40).collect()),
            self.attempt_count.to_string(),
            self.event_type.clone(),
            self.endpoint_id.clone(),
        ]
    }
}

/// Everything that explains it, for people.
pub fn in_full(entry: &DeadLetterEntry) -> String {
    let delivery = &entry.dead_letter.delivery;
    let source = &delivery.source;
    let mut text = String::new();
    for (name, value) in [
        ("delivery", delivery.delivery_id.clone()),
        ("event", delivery.event_id.clone()),
        ("type", delivery.event_type.clone()),
        ("tenant", delivery.tenant.clone()),
        ("endpoint", delivery.endpoint_id.clone()),
        ("reason", entry.dead_letter.reason.clone()),
        ("died at", output::time(entry.dead_letter.died_at_ms)),
        ("event time", output::time(delivery.event_time_ms)),
        (
            "source",
            format!("{}[{}] offset {}", source.topic, source.partition, source.offset),
        ),
        ("attempts", delivery.attempts_made.to_string()),
        ("replays", delivery.generation.to_string()),
    ] {
        writeln!(text, "{name:12}{value}").expect("a String takes everything");
    }
    for attempt in &delivery.attempts {
        let status = attempt
            .status_code
            .map_or_else(|| "no answer".to_owned(), |code| code.to_string());
        let error = attempt.error.as_deref().unwrap_or_default();
        let (started, duration_ms) = (output::time(attempt.started_at_ms), attempt.duration_ms);
        writeln!(
            text,
            "  {:>3}  {started}  {duration_ms:>6} ms  {status}  {error}",
            attempt.number
        )
        .expect("a String takes everything");
    }
    let body = String::from_utf8_lossy(&delivery.body);
    write!(text, "\n{}\n{body}\n", delivery.content_type).expect("a String takes everything");
    text
}
