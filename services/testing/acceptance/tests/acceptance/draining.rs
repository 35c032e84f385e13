//! SIGTERM under load: what is in flight is finished and committed, so nothing comes twice.

use std::time::Duration;

use acceptance::{Door, Stage};
use harness::logbook::Outcome;
use harness::{Answer, Behaviour, Options};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

const DISPATCHERS: usize = 3;
/// Published every 50 ms.
const PORTION: usize = 3;

async fn doors(stage: &Stage) -> Vec<Door> {
    let mut doors = Vec::new();
    for (name, placement) in [
        ("a", "dedicated"),
        ("b", "shared"),
        ("c", "shared"),
        ("one", "dedicated"),
    ] {
        let door = stage.door(name, |endpoint| {
            endpoint.placement = placement.into();
            endpoint.max_in_flight = (name == "one").then_some(1);
        });
        let door = door.await.expect("an endpoint");
        let delay = Duration::from_millis(if name == "one" { 5 } else { 200 });
        door.hook.behave(Behaviour::always(Answer::slow(delay)));
        doors.push(door);
    }
    doors
}

/// Publishes until `stop`.
async fn load(stage: &Stage, stop: &CancellationToken) -> Vec<String> {
    let mut ids = Vec::new();
    let mut portions = interval(Duration::from_millis(50));
    while stop.run_until_cancelled(portions.tick()).await.is_some() {
        ids.extend(stage.publish(PORTION).await.expect("published"));
    }
    ids
}

#[tokio::test]
async fn invariant_3_rolling_restarts_by_sigterm_repeat_nothing_and_keep_one_owner() {
    let stage = Stage::set(Options::new("drain")).await.expect("an installation");
    let doors = doors(&stage).await;
    let doors: Vec<_> = doors.iter().collect();
    let rest = stage
        .installation
        .serve("rest", &["fanout", "scheduler"])
        .await
        .expect("ready");
    let mut dispatchers = Vec::new();
    for number in 1..=DISPATCHERS {
        let name = format!("dispatcher-{number}");
        dispatchers.push(stage.installation.serve(&name, &["dispatcher"]).await.expect("ready"));
    }
    let first = stage.publish(PORTION).await.expect("published");
    stage.arrive(&first, &doors).await.expect("it works");

    let stop = CancellationToken::new();
    let rolling = async {
        for dispatcher in &mut dispatchers {
            dispatcher
                .terminate()
                .await
                .expect("it drains and ends with exit status 0");
            dispatcher.restart(&[]).await.expect("it starts again");
            dispatcher.ready().await.expect("ready");
        }
        stop.cancel();
    };
    let (mut ids, ()) = tokio::join!(load(&stage, &stop), rolling);
    ids.extend(first);
    stage.arrive(&ids, &doors).await.expect("nothing is lost (invariant 1)");
    stage
        .resolved(Outcome::Delivered, ids.len() * doors.len())
        .await
        .expect("the log resolves each to one outcome (invariant 1)");
    assert_eq!(stage.flaws(&doors), (0, 0), "came again, badly signed");
    assert_eq!(
        doors[3].hook.tally().most_at_once,
        1,
        "two owners sent to one endpoint at once"
    );
    dispatchers.push(rest);
    stage.strike(dispatchers).await.expect("ends in order");
}
