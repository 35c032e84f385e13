//! Shutdown, takeover, and repeats from upstream.

use crate::{
    receiver::{Answer, Receiver},
    setup::{LANES, World, ids, sorted},
};
use dispatcher::Options;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn invariant_2_a_shutdown_finishes_what_is_in_flight_and_the_next_instance_repeats_nothing() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let (answer, gate) = Answer::gated();
    receiver.answers("/held", answer);
    let held = world
        .endpoint(receiver.url("/held"), |e| e.max_in_flight = Some(4))
        .await;
    let own = world
        .endpoint(receiver.url("/own"), |e| e.placement = "dedicated".into())
        .await;
    // So many that a busy machine doesn't finish them all before the shard hears of the shutdown.
    let waiting = world.deliveries(&held, 400);
    let mine = world.deliveries(&own, 10);
    world.publish(&waiting).await;
    world.publish(&mine).await;
    let first = world.instance().await;
    receiver.until("/held", 4).await;
    receiver.until("/own", 10).await;
    first.begin_shutdown();
    let ended = tokio::spawn(first.end());
    gate.add_permits(1000);
    ended.await.expect("it ends");
    let before = receiver.hits("/held").len();
    assert!(
        (4..400).contains(&before),
        "{before}: nothing is started once the shutdown has begun"
    );

    let second = world.instance().await;
    receiver.until("/held", 400).await;
    world.until_committed(&held, 400).await;
    world.until_committed(&own, 10).await;
    second.end().await;
    assert_eq!(sorted(receiver.ids("/held")), ids(&waiting));
    assert_eq!(sorted(receiver.ids("/own")), ids(&mine));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_owner_repeats_only_what_was_under_way() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let (answer, gate) = Answer::gated();
    receiver.answers("/held", answer);
    let held = world.endpoint(receiver.url("/held"), |_| ()).await;
    let quick = world.endpoint(receiver.url("/quick"), |_| ()).await;
    let stuck = world.deliveries(&held, 2);
    let done = world.deliveries(&quick, 50);
    // Everything quick stands behind something that is never done.
    world
        .publish(&[&stuck[..1], &done[..25], &stuck[1..], &done[25..]].concat())
        .await;
    let log = world.log().await;
    let options = Options {
        // Long enough for what was answered to be written down, however busy the machine is.
        drain: Duration::from_secs(3),
        ..world.options()
    };
    let first = world.instance_with(options).await;
    log.until(50, |r| r.attempt.is_some()).await;
    receiver.until("/held", 2).await;
    first.end().await;
    gate.add_permits(100);

    let second = world.instance().await;
    receiver.until("/held", 4).await;
    world.until_committed(&held, 52).await;
    second.end().await;
    assert_eq!(
        sorted(receiver.ids("/quick")),
        ids(&done),
        "what was done beyond the offset is not repeated"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_a_joiner_takes_shards_over_without_repeats() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let mut endpoints = Vec::new();
    for shard in 0..LANES {
        for placement in ["shared", "dedicated"] {
            let path = format!("/{shard}/{placement}");
            receiver.answers(&path, Answer::slow(Duration::from_millis(5)));
            let endpoint = world.endpoint_in(shard, receiver.url(&path), |e| {
                e.placement = placement.into();
                e.max_in_flight = Some(4);
            });
            endpoints.push((path, endpoint.await));
        }
    }
    let log = world.log().await;
    let first = world.instance().await;
    let mut published = Vec::new();
    let mut second = None;
    let mut third = None;
    // Deliveries keep coming while instances come and go.
    for round in 1..=12 {
        for (_, endpoint) in &endpoints {
            let deliveries = world.deliveries(endpoint, 20);
            world.publish(&deliveries).await;
            published.extend(deliveries);
        }
        match round {
            2 => second = Some(world.instance().await),
            5 => third = Some(world.instance().await),
            _ => {}
        }
        log.until(published.len() - 40, |r| r.attempt.is_some()).await;
    }
    if let Some(second) = second {
        second.end().await;
    }
    for (path, endpoint) in &endpoints {
        receiver.until(path, 240).await;
        let mine = published
            .iter()
            .filter(|d| d.endpoint_id == endpoint.id)
            .cloned()
            .collect::<Vec<_>>();
        assert_eq!(sorted(receiver.ids(path)), ids(&mine), "{path}: each delivery once");
        assert!(
            receiver.most_open(path) <= 4,
            "{path}: {} at once",
            receiver.most_open(path)
        );
    }
    first.end().await;
    if let Some(third) = third {
        third.end().await;
    }
    assert_eq!(
        receiver.order().len(),
        published.len(),
        "nothing is repeated by who was left"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_joiner_while_another_drains_gets_nothing_that_is_done() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let (held, gate) = Answer::gated();
    let mut published = Vec::new();
    for shard in 0..LANES {
        let path = format!("/{shard}");
        receiver.answers(&path, held.clone());
        let endpoint = world.endpoint_in(shard, receiver.url(&path), |_| ()).await;
        let deliveries = world.deliveries(&endpoint, 10);
        world.publish(&deliveries).await;
        published.push((path, endpoint, deliveries));
    }
    let first = world.instance().await;
    for (path, ..) in &published {
        receiver.until(path, 10).await;
    }
    first.begin_shutdown();
    gate.add_permits(1000);
    let second = world.instance().await;
    first.end().await;
    for (_, endpoint, _) in &published {
        world.until_committed(endpoint, 10).await;
    }
    second.end().await;
    for (path, _, deliveries) in &published {
        assert_eq!(sorted(receiver.ids(path)), ids(deliveries), "{path}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_from_upstream_is_sent_once() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let endpoint = world.endpoint(receiver.url("/"), |_| ()).await;
    let deliveries = world.deliveries(&endpoint, 20);
    world.publish(&deliveries).await;
    world.publish(&deliveries).await;
    let instance = world.instance().await;
    receiver.until("/", 20).await;
    world.until_committed(&endpoint, 40).await;
    world.publish(&deliveries).await;
    world.until_committed(&endpoint, 60).await;
    // A replay is no repeat.
    let mut replayed = deliveries[0].clone();
    (replayed.generation, replayed.attempts_made, replayed.cause) = (1, 1, "replay".into());
    world.give_back(&[replayed]).await;
    receiver.until("/", 21).await;
    instance.end().await;
    assert_eq!(sorted(receiver.ids("/")[..20].to_vec()), ids(&deliveries));
    assert_eq!(receiver.hits("/").len(), 21);
    world.end().await;
}
