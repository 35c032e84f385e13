//! What is done is deleted from the topics that keep everything until then, and nothing else.

use crate::{
    receiver::{Answer, PATIENCE, Receiver},
    setup::{World, shard_of},
};
use dispatcher::Options;
use kafka_log::Watermarks;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_is_deleted_and_what_waits_is_kept() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let (answer, gate) = Answer::gated();
    receiver.answers("/own", answer);
    let shared = world.endpoint(receiver.url("/shared"), |_| ()).await;
    let own = world.endpoint(receiver.url("/own"), |e| {
        e.placement = "dedicated".into();
        e.max_in_flight = Some(1);
    });
    let own = own.await;
    world.publish(&world.deliveries(&shared, 10)).await;
    world.give_back(&world.deliveries(&shared, 5)).await;
    world.publish(&world.deliveries(&own, 10)).await;
    gate.add_permits(4);
    let options = Options {
        truncate_every: Duration::from_millis(200),
        ..world.options()
    };
    let instance = world.instance_with(options).await;
    let names = world.connection.names();
    let watermarks = Watermarks::new(&world.connection).expect("a client");
    let own_topic = names.endpoint(&own.id, own.dedicated_topic.unwrap_or(0));
    let shard = shard_of(&shared.id);
    for (topic, partition, begins_at) in [
        (names.lanes(), shard, 10),
        (names.returns(), shard, 5),
        (own_topic.clone(), 0, 4),
    ] {
        let waited = tokio::time::timeout(PATIENCE, async {
            // Brokers tell nobody: they have to be asked.
            while watermarks.range(&topic, partition).await.expect("it answers").0 != begins_at {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        waited
            .await
            .unwrap_or_else(|_| panic!("{topic} doesn't begin at {begins_at}"));
    }
    gate.add_permits(10);
    receiver.until("/own", 10).await;
    instance.end().await;
    assert_eq!(receiver.hits("/own").len(), 10);
    world.end().await;
}
