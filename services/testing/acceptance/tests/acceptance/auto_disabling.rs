//! Endpoints that fail for too long, or say that they are gone: what their tenant is told, what becomes of their events,
//! and that none of it depends on the process that saw it.

use acceptance::{Door, Stage};
use harness::logbook::Outcome;
use harness::{Answer, Behaviour, Options, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// What the one death of a dispatcher may repeat.
const MAX_IN_FLIGHT: usize = 8;
const TOLD: &str = "webhook.endpoint.auto_disabled";

async fn endpoint(stage: &Stage, door: &Door) -> Value {
    let arguments = ["endpoint", "get", &door.id, "--direct"];
    let shown = stage.installation.hookline_json(&arguments).await.expect("it is shown");
    shown["endpoint"].clone()
}

async fn until_auto_disabled(stage: &Stage, door: &Door, reason: &str) {
    until("it is disabled", PATIENCE, async || {
        let shown = endpoint(stage, door).await;
        match (shown["status"].as_str(), shown["disabledReason"].as_str()) {
            (Some("auto_disabled"), Some(found)) if found == reason => Ok(()),
            _ => Err(shown.to_string()),
        }
    })
    .await
    .expect("disabled");
}

/// The events of that type which the endpoint has got, by their ids: a dispatcher that is killed may send one again.
fn told(door: &Door) -> BTreeMap<String, Value> {
    let events = door.hook.requests().into_iter().filter_map(|request| {
        let event = serde_json::from_slice::<Value>(&request.body).ok()?;
        (event["type"] == TOLD).then_some((request.event_id, event))
    });
    events.collect()
}

#[tokio::test]
async fn what_fails_for_too_long_is_disabled_its_tenant_is_told_and_what_died_is_replayed() {
    let options = Options::new("auto-disable")
        .set("dispatcher.max_in_flight", MAX_IN_FLIGHT.to_string())
        .set("circuit.failures", "3")
        .set("circuit.min_sec", "0")
        .set("circuit.probe_sec", "[1]")
        .set("auto_disable.failures", "6")
        .set("auto_disable.without_success_sec", "2");
    let stage = Stage::set(options).await.expect("an installation");
    let failing = stage.door("failing", |e| e.placement = "shared".into());
    let failing = failing.await.expect("an endpoint");
    failing.hook.behave(Behaviour::always(Answer::status(503)));
    let gone = stage.door("gone", |e| e.placement = "dedicated".into());
    let gone = gone.await.expect("an endpoint");
    gone.hook.behave(Behaviour::always(Answer::status(410)));
    let witness = stage.door("witness", |_| ()).await.expect("an endpoint");
    witness.hook.keep_contents();
    let roles = ["fanout", "scheduler"];
    let rest = stage.installation.serve("rest", &roles).await.expect("ready");
    let mut dispatcher = stage
        .installation
        .serve("dispatcher", &["dispatcher"])
        .await
        .expect("ready");
    let mut ids = stage.publish(8).await.expect("published");
    stage.arrive(&ids, &[&witness]).await.expect("others go on");
    until_auto_disabled(&stage, &gone, "gone").await;

    // The circuit is open; whoever takes over finds it so, and goes on counting.
    until("its failures open the circuit", PATIENCE, async || {
        match failing.hook.requests().len() {
            count if count >= 3 => Ok(()),
            count => Err(format!("{count} requests")),
        }
    })
    .await
    .expect("tried");
    dispatcher.kill9().await.expect("killed");
    dispatcher.restart(&[]).await.expect("restarted");
    until_auto_disabled(&stage, &failing, "failing").await;
    let shown = endpoint(&stage, &failing).await;
    assert!(shown["consecutiveFailureCount"].as_i64() >= Some(6), "{shown}");
    assert!(
        shown["lastFailureAt"].is_string() && shown["disabledAt"].is_string(),
        "{shown}"
    );

    until("the tenant is told", PATIENCE, async || match told(&witness).len() {
        2 => Ok(()),
        count => Err(format!("{count} events")),
    })
    .await
    .expect("told");
    let about: Vec<_> = told(&witness)
        .values()
        .map(|event| event["data"]["endpointId"].clone())
        .collect();
    assert!(about.contains(&Value::from(failing.id.clone())) && about.contains(&Value::from(gone.id.clone())));

    // Still matched, and straight to the dead letters.
    ids.extend(stage.publish(2).await.expect("published"));
    for id in &ids {
        stage.fate(id, &failing.id, Outcome::Dead).await.expect("dead");
        stage.fate(id, &gone.id, Outcome::Dead).await.expect("dead");
    }
    let before = failing.hook.requests().len();
    failing.hook.behave(Behaviour::always(Answer::ok()));
    let update = ["endpoint", "update", &failing.id, "--direct", "--status", "active"];
    stage.installation.hookline(update).await.expect("enabled again");
    let replay = ["dlq", "replay", "--endpoint", &failing.id];
    stage.installation.hookline(replay).await.expect("replayed");
    stage.arrive(&ids, &[&failing]).await.expect("all of it arrives");
    assert!(failing.hook.requests().len() >= before + ids.len());
    let shown = endpoint(&stage, &failing).await;
    assert_eq!(
        (&shown["status"], &shown["disabledReason"]),
        (&Value::from("active"), &Value::Null)
    );
    let (again, bad_signatures) = stage.flaws(&[&failing, &witness]);
    assert_eq!(bad_signatures, 0);
    assert!(again <= MAX_IN_FLIGHT, "{again} came again, of at most {MAX_IN_FLIGHT}");
    stage.strike(vec![rest, dispatcher]).await.expect("ends in order");
}
