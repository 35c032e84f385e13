//! Rates, concurrency, and who goes before whom.

use crate::{
    receiver::{Answer, Receiver},
    setup::{World, ids, sorted},
};
use dispatcher::Options;
use schemas::Limit;
use std::time::Duration;

const PER_SECOND: f64 = 2.0;
/// A quarter of the time that [`Receiver::until`] has for them.
const REQUESTS: usize = 31;
/// What a receiver on a busy machine may see late: less than a bucket that isn't empty at first would make up for.
const LATE: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_holds_from_an_empty_bucket_on() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let limited = world.endpoint(receiver.url("/limited"), |e| {
        e.rate_limit = Some(Limit {
            per_second: PER_SECOND,
            burst: 1,
        });
    });
    let limited = limited.await;
    let bursting = world.endpoint(receiver.url("/bursting"), |e| {
        e.rate_limit = Some(Limit {
            per_second: PER_SECOND,
            burst: 5,
        });
    });
    let bursting = bursting.await;
    world.publish(&world.deliveries(&limited, REQUESTS)).await;
    world.publish(&world.deliveries(&bursting, REQUESTS)).await;
    let instance = world.instance().await;
    let tokens = |count: usize| Duration::from_secs_f64(count as f64 / PER_SECOND);
    for (path, burst) in [("/limited", 1), ("/bursting", 5)] {
        let hits = receiver.until(path, REQUESTS).await;
        let took = hits[REQUESTS - 1].at - hits[0].at;
        assert!(
            took >= tokens(REQUESTS - 1) - LATE,
            "{path}: {REQUESTS} requests within {took:?}"
        );
        for window in hits.windows(burst + 20) {
            let took = window[burst + 19].at - window[0].at;
            assert!(
                took >= tokens(20) - LATE,
                "{path}: {} requests within {took:?}",
                burst + 20
            );
        }
    }
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_rate_is_obeyed_at_once() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let endpoint = world.endpoint(receiver.url("/"), |e| {
        e.rate_limit = Some(Limit {
            per_second: 0.001,
            burst: 1,
        });
    });
    let mut endpoint = endpoint.await;
    let other = world.endpoint(receiver.url("/other"), |_| ()).await;
    world.publish(&world.deliveries(&endpoint, 3)).await;
    world.publish(&world.deliveries(&other, 1)).await;
    let instance = world.instance().await;
    // Read after those that wait for their rate.
    receiver.until("/other", 1).await;
    endpoint.rate_limit = None;
    world.put(&endpoint).await;
    receiver.until("/", 3).await;
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_never_has_more_in_flight_than_it_wants() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let mut endpoints = Vec::new();
    for (path, placement) in [("/shared", "shared"), ("/own", "dedicated")] {
        receiver.answers(path, Answer::slow(Duration::from_millis(10)));
        let endpoint = world.endpoint(receiver.url(path), |e| {
            e.max_in_flight = Some(3);
            e.placement = placement.into();
        });
        endpoints.push((path, endpoint.await));
    }
    for (_, endpoint) in &endpoints {
        let all = world.deliveries(endpoint, 60);
        world.publish(&all[..40]).await;
        world.give_back(&all[40..]).await;
    }
    let instance = world.instance().await;
    for (path, _) in &endpoints {
        receiver.until(path, 60).await;
    }
    instance.end().await;
    for (path, _) in endpoints {
        assert_eq!(receiver.most_open(path), 3, "{path}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_endpoint_does_not_hold_a_fast_one_of_its_lane() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let (answer, gate) = Answer::gated();
    receiver.answers("/slow", answer);
    let slow = world
        .endpoint(receiver.url("/slow"), |e| e.max_in_flight = Some(2))
        .await;
    let fast = world.endpoint(receiver.url("/fast"), |_| ()).await;
    world.publish(&world.deliveries(&slow, 50)).await;
    world.publish(&world.deliveries(&fast, 50)).await;
    let instance = world.instance().await;
    receiver.until("/fast", 50).await;
    assert_eq!(receiver.hits("/slow").len(), 2);
    gate.add_permits(50);
    receiver.until("/slow", 50).await;
    world.until_committed(&slow, 100).await;
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_returns_goes_before_what_is_new() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let (answer, gate) = Answer::gated();
    receiver.answers("/", answer);
    let endpoint = world.endpoint(receiver.url("/"), |e| e.max_in_flight = Some(1)).await;
    let other = world.endpoint(receiver.url("/other"), |_| ()).await;
    let new = world.deliveries(&endpoint, 20);
    let due = world.deliveries(&endpoint, 5);
    world.publish(&new).await;
    let instance = world.instance().await;
    receiver.until("/", 1).await;
    world.give_back(&due).await;
    // Behind the due ones in `returns`: when it has arrived, they have been read.
    world.give_back(&world.deliveries(&other, 1)).await;
    receiver.until("/other", 1).await;
    gate.add_permits(25);
    receiver.until("/", 25).await;
    let wanted = [&ids(&new)[..1], &ids(&due)[..], &ids(&new)[1..]].concat();
    assert_eq!(receiver.ids("/"), wanted);
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_7_the_process_never_has_more_in_flight_than_its_limit() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let mut all = Vec::new();
    for shard in 0..4 {
        for number in 0..3 {
            let path = format!("/{shard}/{number}");
            receiver.answers(&path, Answer::slow(Duration::from_millis(5)));
            let endpoint = world.endpoint_in(shard, receiver.url(&path), |_| ()).await;
            let deliveries = world.deliveries(&endpoint, 30);
            world.publish(&deliveries).await;
            all.push((path, deliveries));
        }
    }
    let options = Options {
        max_in_flight: 8,
        ..world.options()
    };
    let instance = world.instance_with(options).await;
    for (path, deliveries) in &all {
        receiver.until(path, 30).await;
        assert_eq!(sorted(receiver.ids(path)), ids(deliveries));
    }
    assert!(
        receiver.most_open_in_all() <= 8,
        "{} at once",
        receiver.most_open_in_all()
    );
    instance.end().await;
    world.end().await;
}
