//! Much that waits, and little memory.

use crate::{
    receiver::{Answer, Receiver},
    setup::{World, ids, sorted},
};
use dispatcher::Options;
use std::collections::BTreeSet;

const BUDGET_BYTES: usize = 2 << 20;
const WAITING: usize = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn invariant_7_a_hanging_endpoint_leaves_memory_and_time_for_others_and_nothing_is_lost() {
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
    let sent = receiver.ids("/hanging");
    let all: BTreeSet<String> = deferred.into_iter().map(|w| w.record.delivery_id).chain(sent).collect();
    assert_eq!(
        all.into_iter().collect::<Vec<_>>(),
        ids(&stuck),
        "each was sent or waits in a retry topic"
    );
    world.end().await;
}
