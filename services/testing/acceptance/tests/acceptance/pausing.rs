//! Paused endpoints, dedicated and shared, through the command line.

use std::time::Duration;

use acceptance::Stage;
use harness::logbook::Outcome;
use harness::{Options, until};

const EVENTS: usize = 10;

#[tokio::test]
async fn what_waits_for_a_paused_endpoint_flows_when_it_is_active_again() {
    let stage = Stage::set(Options::new("pause")).await.expect("an installation");
    let dedicated = stage.door("dedicated", |endpoint| endpoint.placement = "dedicated".into());
    let dedicated = dedicated.await.expect("an endpoint");
    let shared = stage.door("shared", |endpoint| endpoint.placement = "shared".into());
    let shared = shared.await.expect("an endpoint");
    let witness = stage.door("witness", |endpoint| endpoint.placement = "shared".into());
    let witness = witness.await.expect("an endpoint");
    let roles = ["fanout", "dispatcher", "scheduler"];
    let rest = stage.installation.serve("rest", &roles).await.expect("ready");
    let all = [&dedicated, &shared, &witness];
    let mut ids = stage.publish(EVENTS).await.expect("published");
    stage.arrive(&ids, &all).await.expect("everything arrives");

    for door in [&dedicated, &shared] {
        set_status(&stage, &door.id, "paused").await;
    }
    let waiting = stage.publish(EVENTS).await.expect("published");
    stage.arrive(&waiting, &[&witness]).await.expect("others go on");
    // The shared endpoint's deliveries have gone round through a retry topic.
    until("they are deferred", Duration::from_secs(60), async || {
        let metrics = rest.metrics().await.map_err(|error| error.to_string())?;
        let deferred = metrics
            .lines()
            .find_map(|line| line.strip_prefix("hookline_deferrals_total "))
            .and_then(|count| count.parse::<f64>().ok());
        match deferred {
            Some(count) if count >= EVENTS as f64 => Ok(()),
            other => Err(format!("{other:?} deferrals")),
        }
    })
    .await
    .expect("deferred");
    for door in [&dedicated, &shared] {
        assert_eq!(
            door.hook.tally().requests,
            EVENTS,
            "nothing is sent to a paused endpoint"
        );
        set_status(&stage, &door.id, "active").await;
    }
    ids.extend(waiting);
    stage.arrive(&ids, &all).await.expect("what waited arrives");
    stage
        .resolved(Outcome::Delivered, ids.len() * all.len())
        .await
        .expect("and the log says so");
    assert_eq!(stage.flaws(&all), (0, 0), "came again, badly signed");
    assert!(
        all.iter()
            .flat_map(|door| door.hook.requests())
            .all(|request| request.attempt == 1),
        "a deferral is no attempt"
    );
    stage.strike(vec![rest]).await.expect("ends in order");
}

async fn set_status(stage: &Stage, endpoint: &str, status: &str) {
    let arguments = ["endpoint", "update", "--direct", endpoint, "--status", status];
    stage.installation.hookline(arguments).await.expect("it is changed");
}
