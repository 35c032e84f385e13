//! The delivery log as its users see it: what became of each event for each endpoint, why it did not go to others, once
//! more, and in bulk; by the command line over the HTTP API of the real binary.

#[path = "history/asking.rs"]
mod asking;
#[path = "history/jobs.rs"]
mod jobs;
#[path = "history/lagging.rs"]
mod lagging;
#[path = "history/rebuilding.rs"]
mod rebuilding;

use std::{os::unix::process::ExitStatusExt, time::Duration};

use acceptance::{Stage, TYPE};
use asking::Asking;
use harness::{Answer, Behaviour, Options, until};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);
const ROLES: [&str; 2] = ["api", "history"];

#[tokio::test]
async fn what_became_of_each_delivery_is_told_and_why_others_have_none() {
    let options = Options::new("history").set("delivery.retry_schedule_sec", "[1]");
    let stage = Stage::set_with(options, &ROLES).await.expect("an installation");
    let rest = stage
        .installation
        .serve("rest", &["fanout", "dispatcher", "scheduler"])
        .await;
    let rest = rest.expect("ready");
    let good = stage.door("good", |_| ()).await.expect("an endpoint");
    let broken = stage.door("broken", |_| ()).await.expect("an endpoint");
    broken.hook.behave(Behaviour::always(Answer::status(503)));
    let paused = stage.door("paused", |endpoint| endpoint.status = "paused".into()).await;
    let paused = paused.expect("an endpoint");
    let other = stage
        .door("other", |endpoint| endpoint.event_type_filters = vec!["ocr.*".into()])
        .await;
    let other = other.expect("an endpoint");
    let asking = Asking::with_all_scopes(&stage).await;

    let ids = stage.publish(3).await.expect("published");
    stage.arrive(&ids, &[&good]).await.expect("they arrive");
    until("all have come to what they come to", PATIENCE, async || {
        let rows = asking.list(&[]).await;
        let count = |status: &str| rows.iter().filter(|row| row["status"] == status).count();
        let counts = (count("delivered"), count("failed"), count("pending"));
        if counts == (3, 3, 3) {
            Ok(())
        } else {
            Err(format!("{counts:?}"))
        }
    })
    .await
    .expect("the history says so");

    // By every filter.
    assert_eq!(
        asking
            .list(&["--endpoint", &broken.id, "--status", "failed"])
            .await
            .len(),
        3
    );
    assert_eq!(asking.list(&["--event", &ids[0]]).await.len(), 3);
    assert_eq!(
        asking.list(&["--event-type", TYPE, "--status", "pending"]).await.len(),
        3
    );
    assert_eq!(asking.list(&["--since", "1h", "--limit", "2"]).await.len(), 2);
    assert!(asking.list(&["--until", "1h"]).await.is_empty());

    // In full: the payload, every attempt, and what was answered.
    let row = &asking.list(&["--endpoint", &broken.id, "--event", &ids[0]]).await[0];
    assert_eq!(
        (&row["reason"], &row["attemptCount"]),
        (&json!("retries_exhausted"), &json!(2))
    );
    let shown = asking.json(&["delivery", "show", id_of(row)]).await["delivery"].take();
    assert_eq!(shown["payload"]["objectId"], json!(ids[0]));
    let attempts = shown["attempts"].as_array().expect("a list");
    let triggers: Vec<_> = attempts
        .iter()
        .map(|attempt| attempt["trigger"].as_str().expect("a text"))
        .collect();
    assert_eq!(triggers, ["event", "retry"]);
    assert!(
        attempts.iter().all(|attempt| attempt["statusCode"] == 503),
        "{attempts:?}"
    );

    // Why not.
    let event = asking.json(&["event", "show", &ids[1]]).await;
    assert_eq!(event["matched"].as_array().map(Vec::len), Some(3));
    let occurred_at = event["event"]["occurredAt"].as_str().expect("a time");
    assert!(
        occurred_at.len() == "2026-11-21T10:00:00.000Z".len() && occurred_at.ends_with('Z'),
        "{occurred_at}"
    );
    let not = event["notMatched"].as_array().expect("a list");
    assert_eq!(
        (not.len(), &not[0]["endpointId"], &not[0]["reason"]),
        (1, &json!(other.id), &json!("filters"))
    );

    // Of what a producer wrote to Kafka and nobody can get.
    let data = json!({ "vaultId": "vault_1" });
    let unknown = stage.publish_one("vault.of.no.kind", &data).await.expect("published");
    let event = asking.json_soon(&["event", "show", &unknown]).await;
    let (about, rejected) = (&event["event"], &event["event"]["rejected"]);
    assert_eq!(
        (&about["matchedAt"], &rejected["reason"]),
        (&Value::Null, &json!("unknown_type")),
        "{event}"
    );
    let message = rejected["message"].as_str().expect("a text");
    assert!(message.contains("vault.of.no.kind"), "{message}");
    assert!(
        about["source"]["offset"].is_number() && event["matched"] == json!([]),
        "{event}"
    );

    once_more(&stage, &asking, &good, &broken, &paused, &ids).await;
    strangers(&stage, &asking, id_of(row), &good.id, [&ids[0], &unknown]).await;
    stage.strike(vec![rest]).await.expect("ends in order");
}

fn id_of(row: &Value) -> &str {
    row["id"].as_str().expect("an id")
}

/// Replays: a delivered one with another payload, a dead one once its receiver is repaired; refused where nothing can be
/// sent.
async fn once_more(
    stage: &Stage,
    asking: &Asking<'_>,
    good: &acceptance::Door,
    broken: &acceptance::Door,
    paused: &acceptance::Door,
    ids: &[String],
) {
    let delivered = asking
        .list(&["--endpoint", &good.id, "--event", &ids[0]])
        .await
        .remove(0);
    let payload = json!({"vaultId": "vault_1", "objectId": "another"}).to_string();
    let replayed = asking
        .json(&["delivery", "replay", id_of(&delivered), "--payload", &payload])
        .await;
    assert_eq!(
        (&replayed["delivery"]["status"], &replayed["delivery"]["replayCount"]),
        (&json!("pending"), &json!(1))
    );
    let row = asking.becomes(id_of(&delivered), "delivered", 2).await;
    assert_eq!(row["attempts"][1]["trigger"], json!("replay"));
    let sent = good.hook.requests();
    let last = sent.last().expect("a request");
    assert!(last.replay && last.delivery_id == id_of(&delivered), "{last:?}");
    under_a_key(asking, &delivered).await;

    broken.hook.behave(Behaviour::always(Answer::status(200)));
    let dead = asking
        .list(&["--endpoint", &broken.id, "--event", &ids[0]])
        .await
        .remove(0);
    asking.json(&["delivery", "replay", id_of(&dead)]).await;
    asking.becomes(id_of(&dead), "delivered", 3).await;
    let letters = stage
        .installation
        .hookline_json(&["dlq", "list"])
        .await
        .expect("a list");
    assert_eq!(letters.as_array().map(Vec::len), Some(2), "the third was taken away");

    let waiting = asking.list(&["--endpoint", &paused.id]).await.remove(0);
    let refused = asking.refused(&["delivery", "replay", id_of(&waiting)]).await;
    assert!(refused.contains("CONFLICT") && refused.contains("pending"), "{refused}");
    stage
        .direct
        .change(&broken.id, |endpoint| endpoint.status = "disabled".into())
        .await
        .expect("changed");
    let refused = asking.refused(&["delivery", "replay", id_of(&dead)]).await;
    assert!(
        refused.contains("CONFLICT") && refused.contains("is disabled"),
        "{refused}"
    );
    stage.direct.delete(&broken.id).await.expect("deleted");
    assert_eq!(
        asking.list(&["--endpoint", &broken.id]).await.len(),
        3,
        "its history stays"
    );
    let refused = asking.refused(&["delivery", "replay", id_of(&dead)]).await;
    assert!(
        refused.contains("CONFLICT") && refused.contains("was deleted"),
        "{refused}"
    );

    let endpoint = asking.json(&["endpoint", "get", &good.id]).await["endpoint"].take();
    let (_, rotated) = asking
        .post(&format!("/endpoints/{}/rotate_secret", good.id), "rotate", &json!({}))
        .await;
    for field in ["stats", "lastSuccessAt", "lastFailureAt"] {
        assert_eq!(rotated["endpoint"][field], endpoint[field], "{field}");
    }
    assert_eq!(
        (&endpoint["stats"]["delivered"], &endpoint["stats"]["failed"]),
        (&json!(3), &json!(0))
    );
    assert!(
        endpoint["lastSuccessAt"].is_string() && endpoint["stats"]["p95Ms"].is_number(),
        "{endpoint}"
    );
}

/// A replay with an `Idempotency-Key` is made once and answered the same, also when others were made in between.
async fn under_a_key(asking: &Asking<'_>, delivered: &Value) {
    let path = format!("/deliveries/{}/replay", id_of(delivered));
    let first = asking.post(&path, "once", &json!({})).await;
    assert_eq!((first.0, &first.1["delivery"]["status"]), (202, &json!("pending")));
    asking.becomes(id_of(delivered), "delivered", 3).await;
    assert_eq!(asking.post(&path, "once", &json!({})).await, first);
    let (status, error) = asking.post(&path, "once", &json!({"payload": {"vaultId": "v"}})).await;
    assert_eq!((status, &error["error"]["code"]), (409, &json!("CONFLICT")), "{error}");
    asking.json(&["delivery", "replay", id_of(delivered)]).await;
    asking.becomes(id_of(delivered), "delivered", 4).await;
    assert_eq!(asking.post(&path, "once", &json!({})).await, first);
    asking.becomes(id_of(delivered), "delivered", 4).await;
}

#[tokio::test]
async fn a_keyed_replay_whose_process_dies_is_made_once() {
    let options = Options::new("keyed").set("kafka.instance_id", "only");
    let mut stage = Stage::set_with(options, &ROLES).await.expect("an installation");
    let rest = stage.installation.serve("rest", &["fanout", "dispatcher"]).await;
    let rest = rest.expect("ready");
    let door = stage.door("door", |_| ()).await.expect("an endpoint");
    let ids = stage.publish(1).await.expect("published");
    stage.arrive(&ids, &[&door]).await.expect("it arrives");
    let key = stage.direct.key(&stage.tenant, &harness::ALL_SCOPES).await;
    let key = key.expect("a key");
    let delivery = {
        let asking = Asking::with(&stage, &key);
        let event = asking.json_soon(&["event", "show", &ids[0]]).await;
        id_of(&event["matched"][0]).to_owned()
    };
    Asking::with(&stage, &key).becomes(&delivery, "delivered", 1).await;
    let path = format!("/deliveries/{delivery}/replay");
    stage.api.terminate().await.expect("ends in order");
    let mut attempts = 1;
    for point in chaos::crash_points::REPLAY {
        let crash = stage.api.restart(&[("HOOKLINE_CRASH_AT", point)]).await;
        crash.expect("it starts again");
        stage.api.ready().await.expect("ready");
        let asking = Asking::with(&stage, &key);
        until("it dies of it", PATIENCE, async || {
            match asking.try_post(&path, point, &json!({})).await {
                Err(_) => Ok(()),
                // 503 until its history has caught up.
                Ok(answer) => Err(format!("{answer:?}")),
            }
        })
        .await
        .unwrap_or_else(|error| panic!("at {point}: {error:#}"));
        let status = stage.api.end().await.expect("it ends");
        assert_eq!(status.signal(), Some(9), "at {point}: {status}");

        stage.api.restart(&[]).await.expect("it starts again");
        stage.api.ready().await.expect("ready");
        let asking = Asking::with(&stage, &key);
        let answers = async || asking.post(&path, point, &json!({})).await;
        until("the repeat is answered", PATIENCE, async || match answers().await {
            (202, _) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await
        .expect("it is accepted");
        attempts += 1;
        asking.becomes(&delivery, "delivered", attempts).await;
        assert_eq!(answers().await, answers().await, "at {point}");
        stage.api.terminate().await.expect("ends in order");
    }
    assert_eq!(door.hook.requests().len() as u64, attempts, "each was sent once");
    stage.api.restart(&[]).await.expect("it starts again");
    stage.api.ready().await.expect("ready");
    stage.strike(vec![rest]).await.expect("ends in order");
}

/// Invariant 6: of another tenant nothing is there; and a key without an endpoint's scopes reads no payload of it.
async fn strangers(stage: &Stage, asking: &Asking<'_>, delivery: &str, endpoint: &str, events: [&str; 2]) {
    let [event, rejected] = events;
    let tenant = stage
        .direct
        .tenant("Other", &["platform"], |_| ())
        .await
        .expect("a tenant");
    let stranger = Asking::of(stage, &tenant, &harness::ALL_SCOPES).await;
    assert!(stranger.list(&[]).await.is_empty());
    for arguments in [
        ["delivery", "show", delivery].as_slice(),
        &["delivery", "replay", delivery],
        &["delivery", "list", "--endpoint", endpoint],
        &["event", "show", event],
        &["event", "show", rejected],
        &["endpoint", "replay", endpoint],
    ] {
        let refused = stranger.refused(arguments).await;
        assert!(refused.contains("NOT_FOUND"), "{arguments:?}: {refused}");
    }
    let narrow = Asking::of(stage, &stage.tenant, &["webhooks"]).await;
    assert_eq!(narrow.list(&[]).await.len(), asking.list(&[]).await.len());
    for arguments in [
        ["delivery", "show", delivery],
        ["delivery", "replay", delivery],
        ["event", "show", event],
    ] {
        let refused = narrow.refused(&arguments).await;
        assert!(refused.contains("PERMISSION_DENIED"), "{arguments:?}: {refused}");
    }
}

#[tokio::test]
async fn an_api_without_history_says_so_on_these_routes_alone() {
    let stage = Stage::set(Options::new("no-history")).await.expect("an installation");
    let door = stage.door("good", |_| ()).await.expect("an endpoint");
    let asking = Asking::with_all_scopes(&stage).await;
    for arguments in [
        ["delivery", "list"].as_slice(),
        &["delivery", "show", "dlv_00000000000000000000000001"],
        &["event", "show", "evt_1"],
        &["endpoint", "replay", &door.id],
    ] {
        let refused = asking.refused(arguments).await;
        assert!(
            refused.contains("UNAVAILABLE") && refused.contains("history"),
            "{arguments:?}: {refused}"
        );
    }
    let endpoint = asking.json(&["endpoint", "get", &door.id]).await;
    assert_eq!(endpoint["endpoint"]["stats"]["delivered"], json!(0));
    stage.strike(Vec::new()).await.expect("ends in order");
}
