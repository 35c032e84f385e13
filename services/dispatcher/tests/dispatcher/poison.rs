//! Records that are no deliveries.

use crate::{
    receiver::Receiver,
    setup::{World, shard_of},
    tail::Tail,
};
use kafka_log::Outgoing;
use schemas::Rejected;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_delivery_is_rejected_and_the_partition_goes_on() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let names = world.connection.names();
    let rejected = Tail::<Rejected>::start(&world.connection, &[names.rejected()]).await;
    let shared = world.endpoint(receiver.url("/shared"), |_| ()).await;
    let own = world
        .endpoint(receiver.url("/own"), |e| e.placement = "dedicated".into())
        .await;
    let own_topic = names.endpoint(&own.id, own.dedicated_topic.unwrap_or(0));
    let shard = shard_of(&shared.id);
    let mut damaged = schemas::encode(&world.delivery(&shared)).expect("it fits");
    damaged.truncate(40);
    let poison = [b"not avro".to_vec(), Vec::new(), damaged];
    let topics = [(names.lanes(), shard), (names.returns(), shard), (own_topic, 0)];
    for (topic, partition) in &topics {
        let records: Vec<_> = poison
            .iter()
            .map(|value| Outgoing::new(topic.as_str(), *partition, "k", value.clone()))
            .collect();
        world.write(&records).await;
        world
            .write(&[Outgoing::tombstone(topic.as_str(), *partition, "k")])
            .await;
    }
    world.publish(&world.deliveries(&shared, 1)).await;
    world.publish(&world.deliveries(&own, 1)).await;
    world.give_back(&world.deliveries(&shared, 1)).await;
    let instance = world.instance().await;
    receiver.until("/shared", 2).await;
    receiver.until("/own", 1).await;
    for written in rejected.until(12, |_| true).await {
        let rejected = written.record;
        assert_eq!(rejected.reason, "unreadable");
        assert!(topics.contains(&(rejected.origin.topic, rejected.origin.partition)));
        assert!(rejected.origin.offset < 4 && !rejected.message.is_empty());
    }
    world.until_committed(&shared, 5).await;
    world.until_committed(&own, 5).await;
    instance.end().await;
    world.end().await;
}
