//! SIGTERM under load: what is in flight is finished and committed, so nothing comes twice where receivers answer within
//! a second; where they take longer, a process that joins repeats what it can't wait for.

use std::time::Duration;

use acceptance::{Door, Stage};
use harness::logbook::Outcome;
use harness::{Answer, Behaviour, Options, Process};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const DISPATCHERS: usize = 3;
/// Published every 50 ms.
const PORTION: usize = 3;
/// Longer than a revoke waits.
const LASTING: Duration = Duration::from_secs(3);
/// What endpoints that take so long are busy with from begin to end.
const LASTING_EVENTS: usize = 40;
const LASTING_AT_ONCE: usize = 6;

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

async fn dispatchers(stage: &Stage) -> Vec<Process> {
    let mut dispatchers = Vec::new();
    for number in 1..=DISPATCHERS {
        let name = format!("dispatcher-{number}");
        dispatchers.push(stage.installation.serve(&name, &["dispatcher"]).await.expect("ready"));
    }
    dispatchers
}

/// Ends one after the other in order, and starts it again. When each joined.
async fn roll(dispatchers: &mut [Process]) -> Vec<Instant> {
    let mut joined = Vec::new();
    for dispatcher in dispatchers {
        dispatcher
            .terminate()
            .await
            .expect("it drains and ends with exit status 0");
        dispatcher.restart(&[]).await.expect("it starts again");
        joined.push(Instant::now());
        dispatcher.ready().await.expect("ready");
    }
    joined
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
    let mut dispatchers = dispatchers(&stage).await;
    let first = stage.publish(PORTION).await.expect("published");
    stage.arrive(&first, &doors).await.expect("it works");

    let stop = CancellationToken::new();
    let rolling = async {
        roll(&mut dispatchers).await;
        stop.cancel();
    };
    let loading = stage.publish_until(&stop, PORTION, Duration::from_millis(50));
    let (ids, ()) = tokio::join!(loading, rolling);
    let mut ids = ids.expect("published");
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

#[tokio::test]
async fn invariant_3_a_joiner_repeats_at_most_what_was_under_way_for_longer_than_a_second() {
    let stage = Stage::set(Options::new("drain-slow")).await.expect("an installation");
    let mut doors = Vec::new();
    for (name, placement) in [("a", "dedicated"), ("b", "shared"), ("c", "dedicated"), ("d", "shared")] {
        let door = stage.door(name, |endpoint| {
            endpoint.placement = placement.into();
            endpoint.max_in_flight = i32::try_from(LASTING_AT_ONCE).ok();
        });
        let door = door.await.expect("an endpoint");
        door.hook.behave(Behaviour::always(Answer::slow(LASTING)));
        doors.push(door);
    }
    let doors: Vec<_> = doors.iter().collect();
    let rest = stage.installation.serve("rest", &["fanout", "scheduler"]);
    let rest = rest.await.expect("ready");
    let mut dispatchers = dispatchers(&stage).await;
    let ids = stage.publish(LASTING_EVENTS).await.expect("published");
    stage.arrive(&ids[..1], &doors).await.expect("it has begun");
    let joined = roll(&mut dispatchers).await;
    stage.arrive(&ids, &doors).await.expect("nothing is lost (invariant 1)");
    stage
        .resolved(Outcome::Delivered, ids.len() * doors.len())
        .await
        .expect("the log resolves each to one outcome (invariant 1)");

    let (again, bad_signatures) = stage.flaws(&doors);
    let tallies = doors.iter().map(|door| door.hook.tally());
    let at_once: Vec<_> = tallies.clone().map(|tally| tally.most_at_once).collect();
    println!(
        "draining: rolling restart, receivers of {} s: {again} of {} came again, at most {at_once:?} at once of {}",
        LASTING.as_secs(),
        ids.len() * doors.len(),
        LASTING_AT_ONCE
    );
    assert_eq!(bad_signatures, 0);
    // Who joins gets a shard once: what was under way for it comes again.
    let repeated = joined.len() * LASTING_AT_ONCE;
    // Joiners that come while one request lasts may each find what the other has begun.
    let in_a_row = |first: &Instant| {
        joined
            .iter()
            .filter(|at| **at >= *first && **at - *first < LASTING)
            .count()
    };
    let owners = 1 + joined.iter().map(in_a_row).max().unwrap_or(0);
    for tally in tallies {
        assert!(tally.duplicates <= repeated, "{tally:?}: at most {repeated}");
        assert!(
            tally.most_at_once <= owners * LASTING_AT_ONCE,
            "{tally:?}: {owners} owners at most"
        );
    }
    dispatchers.push(rest);
    stage.strike(dispatchers).await.expect("ends in order");
}
