//! The producer that has no Kafka client: events by `POST /webhooks/v1/events`, singly, as JSON lines and as a JSON array.
//! Each answer says what the events are called.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::api::{Api, text};
use crate::events::{Planned, Posted};
use crate::publishing::Event;
use crate::stage::Stage;

const EVENTS: &str = "/webhooks/v1/events";

/// Posts all of it, each tenant's with its own key.
pub async fn post(stage: &Stage, posted: Posted) -> anyhow::Result<Vec<Event>> {
    let mut events = Vec::new();
    for event in posted.singly {
        let answer = stage
            .api(&event.told.tenant)
            .post_text(EVENTS, "application/json", written(&event)?)
            .await?;
        events.push(named(event, &answer)?);
    }
    let lines: Vec<_> = posted.lines.iter().map(written).collect::<Result<_, _>>()?;
    // What is wrong with one line stops no other.
    let wrong = json!({ "type": "no.such.type", "data": {} }).to_string();
    let body = format!("{wrong}\n{}\n", lines.join("\n"));
    let api = of(stage, &posted.lines)?;
    let results = results(api.post_text(EVENTS, "application/x-ndjson", body).await?)?;
    ensure!(
        results[0]["error"]["code"] == "INVALID_REQUEST",
        "an event of an unknown type was answered with {}",
        results[0]
    );
    events.extend(all_named(posted.lines, &results[1..])?);

    let items: Vec<_> = posted.array.iter().map(written).collect::<Result<_, _>>()?;
    let body = format!("[{}]", items.join(","));
    let api = of(stage, &posted.array)?;
    let answered = api.post_text(EVENTS, "application/json", body).await?;
    events.extend(all_named(posted.array, &self::results(answered)?)?);
    Ok(events)
}

/// A batch is one tenant's.
fn of<'s>(stage: &'s Stage, events: &[Planned]) -> anyhow::Result<&'s Api> {
    Ok(stage.api(&events.first().context("a batch has events")?.told.tenant))
}

fn written(event: &Planned) -> anyhow::Result<String> {
    let value = event.told.hookline_json("").value;
    Ok(String::from_utf8(value.context("an event is no tombstone")?)?)
}

fn results(mut answer: Value) -> anyhow::Result<Vec<Value>> {
    match answer["results"].take() {
        Value::Array(results) if !results.is_empty() => Ok(results),
        _ => anyhow::bail!("a batch was answered without results: {answer}"),
    }
}

fn all_named(events: Vec<Planned>, results: &[Value]) -> anyhow::Result<Vec<Event>> {
    ensure!(
        events.len() == results.len(),
        "a batch must have a result for each event"
    );
    events
        .into_iter()
        .zip(results)
        .map(|(event, result)| named(event, result))
        .collect()
}

/// The event's own id, or the one that was made for it.
fn named(event: Planned, answer: &Value) -> anyhow::Result<Event> {
    let id = text(answer, "/id").with_context(|| format!("an event was refused: {answer}"))?;
    let own = event.told.id.as_ref();
    ensure!(
        own.is_none_or(|own| *own == id),
        "an event's own id was replaced by {id}"
    );
    Ok(Event::new(event, id))
}
