//! What becomes of deliveries that wait for an endpoint which is then deleted or disabled, and of events that come later.

use acceptance::{Door, Stage};
use harness::Options;
use harness::logbook::Outcome;

/// Paused, so that everything waits.
async fn paused(stage: &Stage, name: &str, placement: &str) -> Door {
    let door = stage.door(name, |endpoint| {
        endpoint.placement = placement.into();
        endpoint.status = "paused".into();
    });
    door.await.expect("an endpoint")
}

#[tokio::test]
async fn invariant_1_what_waits_for_a_deleted_or_disabled_endpoint_is_accounted_for() {
    let stage = Stage::set(Options::new("states")).await.expect("an installation");
    let roles = ["fanout", "dispatcher", "scheduler"];
    let rest = stage.installation.serve("rest", &roles).await.expect("ready");
    let mut doors = Vec::new();
    for placement in ["dedicated", "shared"] {
        doors.push((
            paused(&stage, &format!("deleted-{placement}"), placement).await,
            Outcome::Cancelled,
        ));
        doors.push((
            paused(&stage, &format!("disabled-{placement}"), placement).await,
            Outcome::Dead,
        ));
    }
    let witness = stage.door("witness", |_| ()).await.expect("an endpoint");
    let waiting = stage.publish(1).await.expect("published");
    stage.arrive(&waiting, &[&witness]).await.expect("it is matched");

    for (door, outcome) in &doors {
        if *outcome == Outcome::Cancelled {
            let deleting = stage
                .installation
                .hookline(["endpoint", "delete", "--direct", &door.id]);
            deleting.await.expect("deleted");
        } else {
            let arguments = ["endpoint", "update", "--direct", &door.id, "--status", "disabled"];
            stage.installation.hookline(arguments).await.expect("disabled");
        }
    }
    let later = stage.publish(1).await.expect("published");
    stage.arrive(&later, &[&witness]).await.expect("it is matched");
    for (door, outcome) in &doors {
        stage
            .fate(&waiting[0], &door.id, *outcome)
            .await
            .expect("the log resolves it");
        assert_eq!(door.hook.tally().requests, 0, "nothing is sent to {}", door.hook.url());
    }
    let logbook = stage.installation.logbook().await.expect("the log");
    assert_eq!(
        logbook.deliveries.len(),
        doors.len() + 2,
        "later events are not for them"
    );
    let reasons: Vec<_> = logbook.deliveries.values().flat_map(|fate| &fate.reasons).collect();
    assert_eq!(
        reasons.iter().filter(|reason| **reason == "endpoint_deleted").count(),
        2,
        "{reasons:?}"
    );
    assert_eq!(
        reasons.iter().filter(|reason| **reason == "endpoint_disabled").count(),
        2,
        "{reasons:?}"
    );
    stage.strike(vec![rest]).await.expect("ends in order");
}
