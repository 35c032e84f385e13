//! A process that stands still for longer than its session, as in a long pause of its machine, and then goes on: what it
//! held is another's by then.

use acceptance::Stage;
use harness::logbook::Outcome;
use harness::{Answer, Behaviour, Options};
use std::time::Duration;

const EVENTS: usize = 40;
const MAX_IN_FLIGHT: usize = 8;
const ROLES: [&str; 2] = ["dispatcher", "scheduler"];

#[tokio::test]
async fn invariant_3_a_zombie_repeats_at_most_what_it_had_in_flight_and_moves_no_offset() {
    let options = Options::new("zombie")
        .set("dispatcher.max_in_flight", MAX_IN_FLIGHT.to_string())
        .set("delivery.retry_schedule_sec", "[1,1,1,1]");
    let stage = Stage::set(options).await.expect("an installation");
    let mut doors = Vec::new();
    for (name, placement) in [("a", "dedicated"), ("b", "shared"), ("c", "dedicated"), ("d", "shared")] {
        let door = stage.door(name, |endpoint| endpoint.placement = placement.into());
        let door = door.await.expect("an endpoint");
        door.hook.behave(Behaviour::first(vec![
            Answer::status(503),
            Answer::slow(Duration::from_millis(100)),
        ]));
        doors.push(door);
    }
    let doors: Vec<_> = doors.iter().collect();
    let fanout = stage.installation.serve("fanout", &["fanout"]).await.expect("ready");
    let zombie = stage.installation.serve("zombie", &ROLES).await.expect("ready");
    let heir = stage.installation.serve("heir", &ROLES).await.expect("ready");

    let mut ids = stage.publish(EVENTS).await.expect("published");
    // In the middle of it.
    stage.arrive(&ids[..1], &doors).await.expect("it has begun");
    zombie.halt().expect("halted");
    ids.extend(stage.publish(EVENTS).await.expect("published"));
    stage
        .arrive(&ids, &doors)
        .await
        .expect("the heir has taken over everything");
    zombie.resume().expect("resumed");
    ids.extend(stage.publish(EVENTS).await.expect("published"));
    stage.arrive(&ids, &doors).await.expect("nothing is lost (invariant 1)");
    stage
        .resolved(Outcome::Delivered, ids.len() * doors.len())
        .await
        .expect("the log resolves each to one outcome (invariant 1)");
    let (again, bad_signatures) = stage.flaws(&doors);
    assert_eq!(bad_signatures, 0);
    // The scheduler's transactions repeat nothing.
    assert!(again <= MAX_IN_FLIGHT, "{again} came again, of at most {MAX_IN_FLIGHT}");
    let at_once: Vec<_> = doors.iter().map(|door| door.hook.tally().most_at_once).collect();
    println!("zombies: {again} came again, at most {at_once:?} at once of {MAX_IN_FLIGHT}");
    assert!(at_once.iter().all(|most| *most <= 2 * MAX_IN_FLIGHT), "{at_once:?}");
    stage
        .strike(vec![zombie, heir, fanout])
        .await
        .expect("both end in order");
}
