//! Endpoints replayed as jobs: what failed, what was missed, all of it; killed at every point on the way, sent once.

use std::os::unix::process::ExitStatusExt;

use acceptance::{Door, Stage};
use harness::{Answer, Behaviour, Options, until};
use serde_json::{Value, json};

use super::{PATIENCE, ROLES, asking::Asking, id_of};

const EVENTS: usize = 450;

async fn count(asking: &Asking<'_>, flags: &[&str], wanted: usize) {
    until("the history has them", PATIENCE, async || {
        match asking.list(flags).await.len() {
            found if found == wanted => Ok(()),
            found => Err(format!("{found} of {wanted}")),
        }
    })
    .await
    .expect("the history says so");
}

async fn job(asking: &Asking<'_>, id: &str) -> Value {
    asking.json(&["job", "show", id]).await["job"].take()
}

async fn ends(asking: &Asking<'_>, id: &str) -> Value {
    asking.json(&["job", "wait", id]).await["job"].take()
}

/// A job that sends what failed, killed after its batches and at every crash point of its transactions.
#[tokio::test]
async fn invariant_1_a_job_that_is_killed_at_every_point_sends_each_delivery_once() {
    // A static member takes its partitions back at once; its predecessor isn't waited for.
    let options = Options::new("job")
        .set("delivery.retry_schedule_sec", "[]")
        .set("kafka.instance_id", "only");
    let mut stage = Stage::set_with(options, &ROLES).await.expect("an installation");
    let rest = stage
        .installation
        .serve("rest", &["fanout", "dispatcher", "scheduler"])
        .await;
    let rest = rest.expect("ready");
    let door = stage.door("door", |_| ()).await.expect("an endpoint");
    door.hook.behave(Behaviour::always(Answer::status(500)));
    let ids = stage.publish(EVENTS).await.expect("published");
    {
        let asking = Asking::with_all_scopes(&stage).await;
        count(&asking, &["--status", "failed"], EVENTS).await;
        let dry = ["endpoint", "replay", &door.id, "--dry-run"];
        let counted = asking.json(&dry).await["job"].take();
        assert_eq!(
            (&counted["total"], &counted["done"], &counted["status"]),
            (&json!(EVENTS), &json!(0), &json!("done"))
        );
        door.hook.behave(Behaviour::always(Answer::status(200)));
    }
    let key = stage
        .direct
        .key(&stage.tenant, &harness::ALL_SCOPES)
        .await
        .expect("a key");
    stage.api.terminate().await.expect("ends in order");
    let points = chaos::crash_points::REPLAY.iter().chain(chaos::crash_points::HISTORY);
    let mut made: Option<String> = None;
    for point in points {
        stage
            .api
            .restart(&[("HOOKLINE_CRASH_AT", point)])
            .await
            .expect("it starts again");
        if made.is_none() {
            stage.api.ready().await.expect("ready");
            // Over the API itself: the process may die while the command line waits for the job's end.
            let asking = Asking::with(&stage, &key);
            let (status, answer) = asking
                .post(&format!("/endpoints/{}/replay", door.id), "the-job", &json!({}))
                .await;
            assert_eq!(status, 202, "{answer}");
            made = Some(id_of(&answer["job"]).to_owned());
        }
        let status = stage
            .api
            .end()
            .await
            .unwrap_or_else(|error| panic!("at {point}: {error:#}"));
        assert_eq!(
            status.signal(),
            Some(9),
            "at {point}: {status}\n{}",
            stage.api.log_tail()
        );
    }
    stage.api.restart(&[]).await.expect("it starts again");

    let asking = Asking::with_all_scopes(&stage).await;
    let ended = ends(&asking, &made.expect("it was made")).await;
    assert_eq!(
        (&ended["status"], &ended["total"], &ended["done"], &ended["gone"]),
        (&json!("done"), &json!(EVENTS), &json!(EVENTS), &json!(0)),
        "{ended}"
    );
    stage.arrive(&ids, &[&door]).await.expect("everything arrives");
    count(&asking, &["--status", "delivered"], EVENTS).await;
    let rows = asking.list(&[]).await;
    assert!(rows.iter().all(|row| row["replayCount"] == 1), "each was replayed once");
    assert_eq!(stage.flaws(&[&door]), (0, 0), "came again, badly signed");
    let letters = stage
        .installation
        .hookline_json(&["dlq", "list"])
        .await
        .expect("a list");
    assert_eq!(letters, json!([]), "no dead letter is left");
    stage.strike(vec![rest]).await.expect("ends in order");
}

#[tokio::test]
async fn what_an_endpoint_missed_is_sent_to_it_and_a_job_is_cancelled() {
    let options = Options::new("missing").set("delivery.retry_schedule_sec", "[]");
    let stage = Stage::set_with(options, &ROLES).await.expect("an installation");
    let rest = stage
        .installation
        .serve("rest", &["fanout", "dispatcher", "scheduler"])
        .await;
    let rest = rest.expect("ready");
    let early = stage.door("early", |_| ()).await.expect("an endpoint");
    let asking = Asking::with_all_scopes(&stage).await;
    let ids = stage.publish(60).await.expect("published");
    count(&asking, &["--status", "delivered"], 60).await;

    // Made too late, and one whose filters never named the type.
    let late = stage.door("late", |_| ()).await.expect("an endpoint");
    let other = stage
        .door("other", |endpoint| endpoint.event_type_filters = vec!["ocr.*".into()])
        .await;
    let other = other.expect("an endpoint");
    let why = asking.json(&["event", "show", &ids[0]]).await;
    let reason = |endpoint: &Door| {
        let not = why["notMatched"].as_array().expect("a list");
        not.iter()
            .find(|of| of["endpointId"] == json!(endpoint.id))
            .map(|of| of["reason"].clone())
    };
    assert_eq!(reason(&other), Some(json!("filters")));
    // Within the tolerance of clocks it would match now.
    assert!(reason(&late).is_some_and(|reason| reason == "matches_now" || reason == "created_later"));

    let nothing = asking
        .json(&["endpoint", "replay", &other.id, "--only", "missing"])
        .await;
    assert_eq!(nothing["job"]["total"], json!(0), "{nothing}");
    let sent = asking
        .json(&["endpoint", "replay", &late.id, "--only", "missing"])
        .await;
    assert_eq!(
        (&sent["job"]["total"], &sent["job"]["done"]),
        (&json!(60), &json!(60)),
        "{sent}"
    );
    stage.arrive(&ids, &[&late]).await.expect("what it missed arrives");
    count(&asking, &["--endpoint", &late.id, "--status", "delivered"], 60).await;
    let requests = late.hook.requests();
    assert!(requests.iter().all(|request| !request.replay), "it is the first time");
    let again = asking
        .json(&["endpoint", "replay", &late.id, "--only", "missing"])
        .await;
    assert_eq!(again["job"]["total"], json!(0), "nothing is missing any more");

    // A repeat is answered as the first one was, whatever became of the endpoint.
    let (path, wanted) = (format!("/endpoints/{}/replay", late.id), json!({"only": "missing"}));
    let first = asking.post(&path, "again", &wanted).await;
    assert_eq!(first.0, 202, "{first:?}");
    let disable = |endpoint: &mut schemas::Endpoint| endpoint.status = "disabled".into();
    stage.direct.change(&late.id, disable).await.expect("changed");
    assert_eq!(asking.post(&path, "again", &wanted).await, first);
    assert_eq!(asking.post(&path, "another", &wanted).await.0, 409);

    // All of it, slowly, and cancelled on the way.
    let slow = [
        "endpoint", "replay", &early.id, "--only", "all", "--rate", "4", "--detach",
    ];
    let made = asking.json(&slow).await["job"].take();
    let id = id_of(&made);
    until("it has begun", PATIENCE, async || {
        let shown = job(&asking, id).await;
        if shown["done"].as_i64() > Some(0) {
            Ok(())
        } else {
            Err(shown.to_string())
        }
    })
    .await
    .expect("it sends");
    let cancelled = asking.json(&["job", "cancel", id]).await["job"].take();
    assert_eq!(cancelled["status"], json!("cancelled"));
    let again = asking.json(&["job", "cancel", id]).await["job"].take();
    assert_eq!(again["status"], json!("cancelled"), "it stays as it ended");
    let stranger = stage
        .direct
        .tenant("Other", &["platform"], |_| ())
        .await
        .expect("a tenant");
    let stranger = Asking::of(&stage, &stranger, &harness::ALL_SCOPES).await;
    for command in ["show", "cancel"] {
        let refused = stranger.refused(&["job", command, id]).await;
        assert!(refused.contains("NOT_FOUND"), "{refused}");
    }
    until("nothing more is sent", PATIENCE, async || {
        let rows = asking.list(&["--endpoint", &early.id]).await;
        let replayed = rows.iter().filter(|row| row["replayCount"] == 1).count();
        let settled = rows.iter().all(|row| row["status"] == "delivered");
        let told = job(&asking, id).await["done"].take();
        if settled && (1..60).contains(&replayed) && told == json!(replayed) {
            Ok(())
        } else {
            Err(format!("{replayed} of 60, of which the job tells {told}"))
        }
    })
    .await
    .expect("it ended on the way, and tells of all that it sent");
    stage.strike(vec![rest]).await.expect("ends in order");
}
