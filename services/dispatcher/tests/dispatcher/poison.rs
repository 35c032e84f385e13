//! Records that are no deliveries.

use crate::{
    receiver::Receiver,
    setup::{World, shard_of},
    tail::Tail,
};
use dispatcher::Options;
use kafka_log::Outgoing;
use ledger::Entity;
use schemas::{Delivery, Rejected, SchemaEntry, codec};
use std::sync::Arc;

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

/// The delivery as a later version might write it, and that version's schema: an `int` where this one has a `long`.
fn written_by_another(delivery: &Delivery) -> (Vec<u8>, SchemaEntry) {
    let own = <Delivery as codec::Record>::avsc();
    let other = own.replace(r#""due_at_ms", "type": "long""#, r#""due_at_ms", "type": "int""#);
    assert_ne!(own, other);
    let (fingerprint, _) = codec::parse_schema(&other).expect("a schema");
    let mut bytes = schemas::encode(delivery).expect("it fits");
    bytes[2..10].copy_from_slice(&fingerprint.to_le_bytes());
    let entry = SchemaEntry {
        fingerprint: format!("{fingerprint:016x}"),
        schema: other,
    };
    (bytes, entry)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_schema_blocks_its_partition_alone_until_the_ledger_has_it() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let names = world.connection.names();
    let shared = world.endpoint(receiver.url("/shared"), |_| ()).await;
    let own = world
        .endpoint(receiver.url("/own"), |e| e.placement = "dedicated".into())
        .await;
    let (bytes, entry) = written_by_another(&world.delivery(&shared));
    let record = Outgoing::new(names.lanes(), shard_of(&shared.id), shared.id.as_bytes(), bytes);
    world.write(&[record]).await;
    world.publish(&world.deliveries(&shared, 2)).await;
    let instance = world
        .instance_with(Options {
            max_in_flight: 1,
            ..world.options()
        })
        .await;
    // The same shard's other topics go on, and no request holds its permit.
    world.publish(&world.deliveries(&own, 5)).await;
    world.give_back(&world.deliveries(&shared, 5)).await;
    receiver.until("/own", 5).await;
    receiver.until("/shared", 5).await;
    world.until_committed(&own, 5).await;
    assert_eq!(world.committed(&shared).await.0, Some(0));
    let schema = Entity::Schema(Arc::new(entry));
    world.writer.put(schema, Some(0)).await.expect("it is registered");
    receiver.until("/shared", 8).await;
    world.until_committed(&shared, 3).await;
    instance.end().await;
    world.end().await;
}
