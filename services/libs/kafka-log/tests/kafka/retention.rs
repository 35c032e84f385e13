//! What waits outlives any retention that the brokers have of their own.

use crate::setup::{PATIENCE, noise};
use kafka_log::topics::{TopicSettings, TopicSpec, apply, endpoint_topic, fixed};
use kafka_log::{Admin, Connection, Outgoing, Producer, Watermarks};
use std::{collections::BTreeMap, time::Duration};

/// Everything is too old at once, and nearly everything too much.
const GREEDY: [(&str, &str); 4] = [
    ("log.retention.ms", "1"),
    ("log.retention.bytes", "1048576"),
    ("log.retention.check.interval.ms", "300"),
    ("log.initial.task.delay.ms", "100"),
];
/// Three segments of a dedicated topic.
const LARGE_RECORDS: usize = 45;
const LARGE_BYTES: usize = 900_000;

/// Writes a record to a topic that has the brokers' own settings, and waits until they have deleted it.
async fn await_cleanup(admin: &Admin, producer: &Producer, watermarks: &Watermarks, topic: &str) {
    assert!(admin.create(topic, 1, 1, &[]).await.expect("create"));
    let doomed = Outgoing::new(topic, 0, "k", b"doomed".to_vec());
    producer.write_all(&[doomed]).await.expect("write");
    let deleted = async {
        while watermarks.range(topic, 0).await.expect("a range").0 == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, deleted)
        .await
        .expect("the brokers delete what has no setting of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_brokers_with_little_retention_delete_nothing_that_waits() {
    let options = brokers::Options {
        extra_properties: GREEDY.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
        ..brokers::Options::default()
    };
    let cluster = tokio::task::spawn_blocking(|| brokers::Cluster::start(options));
    let cluster = cluster.await.expect("no panic").expect("a node");
    let connection = Connection::new(cluster.bootstrap(), "t.", BTreeMap::new());
    let admin = Admin::new(&connection).expect("an admin client");
    let (producer, watermarks) = (
        Producer::new(&connection).expect("a producer"),
        Watermarks::new(&connection).expect("watermarks"),
    );
    let settings = TopicSettings {
        lanes: 1,
        replication_factor: Some(1),
        history_retention_days: 30,
        dlq_retention_days: 30,
        default_source: true,
    };
    let dedicated = connection.names().endpoint("wh_1", 1);
    let mut topics = fixed(connection.names(), &settings);
    topics.push(endpoint_topic(dedicated.clone()));
    apply(&admin, &settings, &topics).await.expect("apply");
    for TopicSpec { name, .. } in &topics {
        let small = Outgoing::new(name.as_str(), 0, "k", b"waits".to_vec());
        producer.write_all(&[small]).await.expect("write");
    }
    let large = Outgoing::new(dedicated.as_str(), 0, "k", noise(LARGE_BYTES));
    producer.write_all(&vec![large; LARGE_RECORDS]).await.expect("write");

    // The first pass may have begun before the last record was written; the second begins after it.
    await_cleanup(&admin, &producer, &watermarks, "t.doomed-1").await;
    await_cleanup(&admin, &producer, &watermarks, "t.doomed-2").await;
    for TopicSpec { name, .. } in &topics {
        let (first, end) = watermarks.range(name, 0).await.expect("a range");
        assert_eq!(first, 0, "records of {name} were deleted");
        assert!(end > 0, "{name} has a record");
    }
}
