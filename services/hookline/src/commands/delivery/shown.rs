//! Deliveries and events as they are shown to people.

use crate::output::Row;
use api_client::{Attempt, Delivery, DeliveryDetail, EventDetail};
use serde_json::Value;
use std::fmt::Write as _;

const MOST_OF_AN_ERROR: usize = 40;
const MOST_OF_A_BODY: usize = 200;

impl Row for Delivery {
    const HEADERS: &'static [&'static str] = &["ID", "CREATED", "STATUS", "ATTEMPTS", "LAST", "TYPE", "ENDPOINT"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.created_at.clone(),
            status(self),
            self.attempt_count.to_string(),
            last(self),
            self.event_type.clone(),
            self.endpoint_id.clone(),
        ]
    }
}

fn status(delivery: &Delivery) -> String {
    match &delivery.reason {
        Some(reason) => format!("{} ({reason})", delivery.status),
        None => delivery.status.clone(),
    }
}

fn last(delivery: &Delivery) -> String {
    let code = delivery.last_status_code.map(|code| code.to_string());
    let error = || {
        delivery
            .last_error
            .as_ref()
            .map(|error| error.chars().take(MOST_OF_AN_ERROR).collect())
    };
    code.or_else(error).unwrap_or_else(|| "-".to_owned())
}

/// A delivery with all that is known of it.
pub fn in_full(detail: &DeliveryDetail) -> String {
    let of = &detail.delivery;
    let mut text = String::new();
    let optional = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    for (name, value) in [
        ("delivery", of.id.clone()),
        ("event", of.event_id.clone()),
        ("type", of.event_type.clone()),
        ("endpoint", of.endpoint_id.clone()),
        ("status", status(of)),
        ("created", of.created_at.clone()),
        ("next attempt", optional(&of.next_attempt_at)),
        ("completed", optional(&of.completed_at)),
        ("attempts", of.attempt_count.to_string()),
        ("replays", of.replay_count.to_string()),
    ] {
        line(&mut text, name, &value);
    }
    for made in detail.attempts() {
        attempt(&mut text, &made);
    }
    match detail.payload() {
        Value::Null => text.push_str("\nthe payload is past its retention\n"),
        payload => writeln!(text, "\n{payload}").expect("a String takes everything"),
    }
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    writeln!(text, "{name:14}{value}").expect("a String takes everything");
}

fn attempt(text: &mut String, made: &Attempt) {
    let status = made
        .status_code
        .map_or_else(|| "no answer".to_owned(), |code| code.to_string());
    let Attempt {
        number,
        started_at,
        duration_ms,
        trigger,
        ..
    } = made;
    let error = made.error.as_deref().unwrap_or_default();
    writeln!(
        text,
        "  {number:>3}  {started_at}  {duration_ms:>6} ms  {trigger:6}  {status}  {error}"
    )
    .expect("a String takes everything");
    let body: String = made.response_body.chars().take(MOST_OF_A_BODY).collect();
    if !body.is_empty() {
        writeln!(text, "       {}", body.escape_debug()).expect("a String takes everything");
    }
}

/// An event, its deliveries, and why every other endpoint has none.
pub fn event(detail: &EventDetail) -> String {
    let mut text = String::new();
    for name in ["id", "type", "occurredAt", "matchedAt"] {
        let value = detail.event.get(name).and_then(Value::as_str).unwrap_or("-");
        line(&mut text, name, value);
    }
    let rejected = detail.event.get("rejected").unwrap_or(&Value::Null);
    if let (Some(reason), Some(message)) = (rejected["reason"].as_str(), rejected["message"].as_str()) {
        line(&mut text, "rejected", &format!("{reason}: {message}"));
    }
    for delivery in &detail.matched {
        let (id, endpoint) = (&delivery.id, &delivery.endpoint_id);
        let outcome = format!(
            "{endpoint}  {}  {id}  {} attempts",
            status(delivery),
            delivery.attempt_count
        );
        line(&mut text, "matched", &outcome);
    }
    for other in &detail.not_matched {
        line(
            &mut text,
            "not matched",
            &format!("{}  {}: {}", other.endpoint_id, other.reason, other.message),
        );
    }
    match detail.event.get("data") {
        None | Some(Value::Null) if rejected.is_object() => {
            text.push_str(
                "\nnobody gets it; correct it and publish it again (as it was, it is in the topic `rejected`)\n",
            );
        }
        None | Some(Value::Null) => text.push_str("\nthe event is past its retention\n"),
        Some(data) => writeln!(text, "\n{data}").expect("a String takes everything"),
    }
    text
}
