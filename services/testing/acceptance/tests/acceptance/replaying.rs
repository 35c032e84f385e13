//! Dead letters and back: an endpoint that was down is repaired, and `hookline dlq replay` sends again, killed at every
//! crash point on its way.

use std::os::unix::process::ExitStatusExt;

use acceptance::Stage;
use harness::logbook::Outcome;
use harness::{Options, Receiver};

const EVENTS: usize = 30;

#[tokio::test]
async fn invariant_1_a_replay_that_is_killed_and_run_again_sends_each_dead_letter_once() {
    let options = Options::new("replay").set("delivery.retry_schedule_sec", "[1]");
    let stage = Stage::set(options).await.expect("an installation");
    let mut down = Receiver::down().expect("a port");
    let door = stage.door_at(down.hook("down"), |_| ()).await.expect("an endpoint");
    let roles = ["fanout", "dispatcher", "scheduler"];
    let rest = stage.installation.serve("rest", &roles).await.expect("ready");
    let ids = stage.publish(EVENTS).await.expect("published");
    stage.resolved(Outcome::Dead, EVENTS).await.expect("all die");
    assert_eq!(dead_letters(&stage).await, EVENTS);

    down.come_up().await.expect("repaired");
    let replay = ["dlq", "replay", "--endpoint", &door.id];
    for point in chaos::crash_points::REPLAY {
        let extra = [("HOOKLINE_CRASH_AT", *point)];
        let output = stage.installation.run(&replay, &extra).await.expect("it runs");
        assert_eq!(output.status.signal(), Some(9), "it must die at {point}: {output:?}");
    }
    assert!(
        dead_letters(&stage).await < EVENTS,
        "what was committed before the last death stays done"
    );
    stage.installation.hookline(replay).await.expect("the rest is replayed");

    stage.arrive(&ids, &[&door]).await.expect("everything arrives");
    stage
        .resolved(Outcome::Delivered, EVENTS)
        .await
        .expect("the log says so");
    assert_eq!(stage.flaws(&[&door]), (0, 0), "came again, badly signed");
    assert_eq!(dead_letters(&stage).await, 0);
    let requests = door.hook.requests();
    assert_eq!(requests.len(), EVENTS);
    assert!(
        requests.iter().all(|request| request.replay),
        "webhook-replay says that it is one"
    );
    let logbook = stage.installation.logbook().await.expect("the log");
    assert!(
        logbook.deliveries.values().all(|fate| fate.replays() == 1),
        "each was replayed once"
    );
    let same_id = |id| logbook.deliveries.contains_key(id);
    assert!(
        requests.iter().all(|request| same_id(&request.delivery_id)),
        "a replay keeps its id"
    );
    stage.strike(vec![rest]).await.expect("ends in order");
}

async fn dead_letters(stage: &Stage) -> usize {
    let listed = stage
        .installation
        .hookline_json(&["dlq", "list"])
        .await
        .expect("a list");
    listed.as_array().expect("a list").len()
}
