//! Much that waits, and little memory.

use crate::{
    gauges,
    receiver::{Answer, PATIENCE, Receiver},
    setup::{World, ids, sorted},
};
use dispatcher::Options;
use std::{collections::BTreeSet, sync::atomic::Ordering, time::Duration};

const BUDGET_BYTES: usize = 2 << 20;
const WAITING: usize = 20_000;

/// Held by the tests that buffer much: the gauge is the process's.
static MUCH_IS_BUFFERED: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn invariant_7_a_hanging_endpoint_leaves_memory_and_time_for_others_and_nothing_is_lost() {
    let _alone = MUCH_IS_BUFFERED.lock().await;
    let buffered = gauges::highest("hookline_buffered_bytes");
    buffered.store(0, Ordering::Relaxed);
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let (answer, gate) = Answer::gated();
    receiver.answers("/hanging", answer);
    let hanging = world.endpoint(receiver.url("/hanging"), |_| ()).await;
    let fast = world.endpoint(receiver.url("/fast"), |_| ()).await;
    let stuck = world.deliveries(&hanging, WAITING);
    let flowing = world.deliveries(&fast, 500);
    for (chunk, quick) in stuck.chunks(WAITING / 10).zip(flowing.chunks(50)) {
        world.publish(chunk).await;
        world.publish(quick).await;
    }
    let retries = world.retries().await;
    let options = Options {
        max_buffered_bytes: BUDGET_BYTES,
        ..world.options()
    };
    let instance = world.instance_with(options).await;
    receiver.until("/fast", 500).await;
    assert_eq!(sorted(receiver.ids("/fast")), ids(&flowing));

    // All are in flight, or in memory, which holds few of them, or deferred.
    let in_flight = hanging.max_in_flight.map_or(32, |n| usize::try_from(n).unwrap_or(0));
    let in_memory = BUDGET_BYTES / (256 + stuck[0].body.len());
    retries.until(WAITING - in_flight - in_memory, |_| true).await;
    gate.add_permits(WAITING);
    world
        .until_committed(&hanging, i64::try_from(WAITING + 500).expect("it is small"))
        .await;
    instance.end().await;
    let deferred = retries.all();
    assert!(
        deferred
            .iter()
            .all(|w| w.record.attempts_made == 0 && w.record.cause == "deferral")
    );
    let highest = buffered.load(Ordering::Relaxed);
    assert!(
        (100_000..=BUDGET_BYTES as u64).contains(&highest),
        "{highest} bytes were buffered at most"
    );
    let sent = receiver.ids("/hanging");
    let all: BTreeSet<String> = deferred.into_iter().map(|w| w.record.delivery_id).chain(sent).collect();
    assert_eq!(
        all.into_iter().collect::<Vec<_>>(),
        ids(&stuck),
        "each was sent or waits in a retry topic"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_returns_takes_the_place_of_what_is_new() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let (answer, gate) = Answer::gated();
    receiver.answers("/", answer);
    let endpoint = world.endpoint(receiver.url("/"), |e| e.max_in_flight = Some(1)).await;
    let marker = world.endpoint(receiver.url("/marker"), |_| ()).await;
    let new = world.deliveries(&endpoint, 5_000);
    world.publish(&new).await;
    world.publish(&world.deliveries(&marker, 1)).await;
    let retries = world.retries().await;
    let options = Options {
        max_buffered_bytes: BUDGET_BYTES,
        // Not to be what makes room.
        hold_max: Duration::from_secs(3600),
        ..world.options()
    };
    let instance = world.instance_with(options).await;
    receiver.until("/marker", 1).await;
    let due = world.deliveries(&endpoint, 3);
    world.give_back(&due).await;
    world.give_back(&world.deliveries(&marker, 1)).await;
    receiver.until("/marker", 2).await;
    gate.add_permits(4);
    receiver.until("/", 5).await;
    let mut sent = receiver.ids("/");
    // On a busy machine it may have lost its shard, and begun again.
    sent.dedup();
    let wanted = [&ids(&new)[..1], &ids(&due)[..]].concat();
    let first = sent.len().min(wanted.len());
    assert_eq!(sent[..first], wanted[..first]);
    gate.add_permits(5_000);
    world.until_committed(&endpoint, 5_001).await;
    instance.end().await;
    let deferred = retries.all().into_iter().map(|w| w.record.delivery_id);
    let all: BTreeSet<String> = deferred.chain(receiver.ids("/")).collect();
    assert_eq!(
        all.into_iter().collect::<Vec<_>>(),
        sorted([ids(&new), ids(&due)].concat())
    );
    world.end().await;
}

/// They come one after the other, so that nobody can know how many they will be.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_7_full_dedicated_topics_leave_half_of_the_memory_to_all_others() {
    let _alone = MUCH_IS_BUFFERED.lock().await;
    let buffered = gauges::highest("hookline_buffered_bytes");
    buffered.store(0, Ordering::Relaxed);
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let tenant = world.tenant(|_| ()).await;
    let own = world.endpoint(receiver.url("/own"), |_| ()).await;
    let other = world.endpoint(receiver.url("/other"), |e| e.tenant.clone_from(&tenant.id));
    let other = other.await;
    let options = Options {
        max_buffered_bytes: BUDGET_BYTES,
        ..world.options()
    };
    let instance = world.instance_with(options).await;
    for _ in 0..12 {
        let paused = world.endpoint(receiver.url("/paused"), |e| {
            e.placement = "dedicated".into();
            e.status = "paused".into();
        });
        let paused = paused.await;
        world.publish(&world.deliveries(&paused, 2_000)).await;
    }
    let filled = tokio::time::timeout(PATIENCE, async {
        while buffered.load(Ordering::Relaxed) < BUDGET_BYTES as u64 * 4 / 10 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    filled.await.expect("what waits for them fills their share");
    for endpoint in [&own, &other] {
        world.publish(&world.deliveries(endpoint, 100)).await;
    }
    receiver.until("/own", 100).await;
    receiver.until("/other", 100).await;
    instance.end().await;
    let highest = buffered.load(Ordering::Relaxed);
    assert!(highest <= BUDGET_BYTES as u64, "{highest} bytes were buffered at most");
    assert!(receiver.hits("/paused").is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_waited_for_hold_max_is_deferred_and_no_attempt_is_counted() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let (answer, gate) = Answer::gated();
    receiver.answers("/", answer);
    let endpoint = world.endpoint(receiver.url("/"), |e| e.max_in_flight = Some(1)).await;
    let deliveries = world.deliveries(&endpoint, 50);
    world.publish(&deliveries).await;
    let retries = world.retries().await;
    let options = Options {
        hold_max: Duration::from_secs(1),
        ..world.options()
    };
    let instance = world.instance_with(options).await;
    let deferred = retries.until(49, |d| d.cause == "deferral").await;
    assert!(deferred.iter().all(|written| written.record.attempts_made == 0));
    gate.add_permits(50);
    world.until_committed(&endpoint, 50).await;
    instance.end().await;
    let waiting = deferred.into_iter().map(|written| written.record.delivery_id);
    let all: BTreeSet<String> = waiting.chain(receiver.ids("/")).collect();
    assert_eq!(all.into_iter().collect::<Vec<_>>(), ids(&deliveries));
    world.end().await;
}

/// More than a commit's metadata can tell of: what waits leaves memory, long before `hold_max`, so that the lane moves on.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_tracker_defers_and_goes_on() {
    let _alone = MUCH_IS_BUFFERED.lock().await;
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let (answer, gate) = Answer::gated();
    receiver.answers("/hanging", answer);
    let hanging = world.endpoint(receiver.url("/hanging"), |_| ()).await;
    let fast = world.endpoint(receiver.url("/fast"), |_| ()).await;
    let stuck = world.deliveries(&hanging, 30_000);
    world.publish(&stuck).await;
    world.publish(&world.deliveries(&fast, 100)).await;
    let retries = world.retries().await;
    let options = Options {
        hold_max: Duration::from_secs(3600),
        ..world.options()
    };
    let instance = world.instance_with(options).await;
    receiver.until("/fast", 100).await;
    retries.until(20_000, |d| d.cause == "deferral").await;
    gate.add_permits(30_000);
    world.until_committed(&hanging, 30_100).await;
    instance.end().await;
    let deferred = retries.all().into_iter().map(|w| w.record.delivery_id);
    let all: BTreeSet<String> = deferred.chain(receiver.ids("/hanging")).collect();
    assert_eq!(all.into_iter().collect::<Vec<_>>(), ids(&stuck));
    world.end().await;
}
