//! Explicit offsets, gaps, windows, and what `Reached` promises.

use crate::setup::{PATIENCE, Setup, next_value, read_from, until_reached, write};
use kafka_log::{Item, Outgoing, ReadOptions, Start, TopicPartition, TransactionalProducer, Watermarks};
use tokio::sync::mpsc;

#[tokio::test(flavor = "multi_thread")]
async fn reading_begins_at_the_offset_it_is_told() {
    let setup = Setup::new();
    let topic = setup.topic("offsets", 2).await;
    write(&setup.producer(), &topic, 1, &["a", "b", "c"]).await;
    let reader = setup.reader();
    let mut from_one = read_from(&reader, &topic, 1, Start::Offset(1)).await;
    assert_eq!(next_value(&mut from_one).await, "b");
    assert_eq!(next_value(&mut from_one).await, "c");
    // A second reading of the same partition takes the first one's place.
    let mut from_start = read_from(&reader, &topic, 1, Start::Beginning).await;
    assert_eq!(next_value(&mut from_start).await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn reached_counts_transaction_markers() {
    let setup = Setup::new();
    let topic = setup.topic("markers", 1).await;
    let mut producer = TransactionalProducer::start(&setup.connection, &setup.name("tx"))
        .await
        .expect("start");
    for value in ["one", "two"] {
        let transaction = producer.begin().await.expect("begin");
        transaction
            .send(&Outgoing::new(&topic, 0, "k", value.into()))
            .await
            .expect("send")
            .await
            .expect("ack");
        transaction.commit().await.expect("commit");
    }
    let (_, end) = Watermarks::new(&setup.connection)
        .expect("client")
        .range(&topic, 0)
        .await
        .expect("range");
    assert_eq!(end, 4, "each commit leaves a marker behind its record");
    let reader = setup.reader();
    let mut items = read_from(&reader, &topic, 0, Start::Beginning).await;
    assert_eq!(until_reached(&mut items, end).await, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_window_pauses_and_loses_nothing() {
    let setup = Setup::new();
    let topic = setup.topic("window", 2).await;
    let values: Vec<String> = (0..2000).map(|n| format!("{n:04}-{}", "x".repeat(1000))).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    write(&setup.producer(), &topic, 0, &values).await;
    let reader = setup.reader();
    let (sink, mut items) = mpsc::channel(10_000);
    let options = ReadOptions {
        window_bytes: 50_000,
        ..ReadOptions::new(Start::Beginning)
    };
    reader
        .add(TopicPartition::new(topic.as_str(), 0), options, sink)
        .await
        .expect("begin to read");
    // Nothing is dropped by the receiver yet: only about a window's worth may arrive.
    let mut held = Vec::new();
    while let Ok(Some(item)) = tokio::time::timeout(std::time::Duration::from_secs(1), items.recv()).await {
        held.push(item);
    }
    assert!(
        (35..=60).contains(&held.len()),
        "a window of 50 kB holds about 40 records, not {}",
        held.len()
    );
    // Another partition of the same reader is not held up.
    write(&setup.producer(), &topic, 1, &["other"]).await;
    let mut other = read_from(&reader, &topic, 1, Start::Beginning).await;
    assert_eq!(next_value(&mut other).await, "other");
    let mut next = held.len();
    drop(held);
    while next < values.len() {
        assert_eq!(next_value(&mut items).await, values[next]);
        next += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_channel_holds_up_nobody_and_loses_nothing() {
    let setup = Setup::new();
    let topic = setup.topic("channel", 2).await;
    let values: Vec<String> = (0..500).map(|n| format!("{n:04}")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let producer = setup.producer();
    write(&producer, &topic, 0, &values).await;
    write(&producer, &topic, 1, &["other"]).await;
    let reader = setup.reader();
    let (sink, mut items) = mpsc::channel(3);
    reader
        .add(
            TopicPartition::new(topic.as_str(), 0),
            ReadOptions::new(Start::Beginning),
            sink,
        )
        .await
        .expect("begin to read");
    let full = async {
        while items.len() < 3 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, full).await.expect("the channel fills");
    let mut other = read_from(&reader, &topic, 1, Start::Beginning).await;
    assert_eq!(next_value(&mut other).await, "other");
    for value in values {
        assert_eq!(next_value(&mut items).await, value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_passed_over_loudly_and_reading_goes_on() {
    let setup = Setup::new();
    let topic = setup.topic("gap", 1).await;
    write(&setup.producer(), &topic, 0, &["a", "b", "c", "d"]).await;
    setup
        .admin
        .delete_records(&[(TopicPartition::new(topic.as_str(), 0), 2)])
        .await
        .expect("truncate");
    let reader = setup.reader();
    let (sink, mut items) = mpsc::channel(10);
    let partition = TopicPartition::new(topic.as_str(), 0);
    let began = reader
        .add(partition, ReadOptions::new(Start::Offset(0)), sink)
        .await
        .expect("begin");
    assert_eq!(began, 2, "it begins at the first record kept");
    assert_eq!(next_value(&mut items).await, "c");
}

/// Reads through a window of three records, which is full when this returns.
async fn read_until_full(setup: &Setup, reader: &kafka_log::Reader, topic: &str) -> mpsc::Receiver<Item> {
    let values: Vec<String> = (0..100).map(|n| format!("{n:04}-{}", "x".repeat(1000))).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    write(&setup.producer(), topic, 0, &values).await;
    let (sink, items) = mpsc::channel(200);
    let options = ReadOptions {
        window_bytes: 3_500,
        ..ReadOptions::new(Start::Beginning)
    };
    reader
        .add(TopicPartition::new(topic, 0), options, sink)
        .await
        .expect("begin to read");
    let full = async {
        while items.len() < 3 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, full).await.expect("the window fills");
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_that_comes_while_reading_is_passed_over() {
    let setup = Setup::new();
    let topic = setup.topic("late-gap", 1).await;
    let reader = setup.reader();
    let mut items = read_until_full(&setup, &reader, &topic).await;
    setup
        .admin
        .delete_records(&[(TopicPartition::new(topic.as_str(), 0), 90)])
        .await
        .expect("truncate");
    loop {
        let value = next_value(&mut items).await;
        if value.starts_with("0099") {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paused_when_it_was_removed_is_read_again() {
    let setup = Setup::new();
    let topic = setup.topic("paused", 1).await;
    let reader = setup.reader();
    let held = read_until_full(&setup, &reader, &topic).await;
    reader.remove(vec![TopicPartition::new(topic.as_str(), 0)]).await;
    let mut again = read_from(&reader, &topic, 0, Start::Offset(50)).await;
    assert!(next_value(&mut again).await.starts_with("0050"));
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_arrives_no_more() {
    let setup = Setup::new();
    let topic = setup.topic("removed", 1).await;
    let producer = setup.producer();
    write(&producer, &topic, 0, &["a"]).await;
    let reader = setup.reader();
    let mut items = read_from(&reader, &topic, 0, Start::Beginning).await;
    assert_eq!(next_value(&mut items).await, "a");
    reader.remove(vec![TopicPartition::new(topic.as_str(), 0)]).await;
    write(&producer, &topic, 0, &["b"]).await;
    let rest = tokio::time::timeout(PATIENCE, async {
        while let Some(item) = items.recv().await {
            assert!(
                !matches!(item, Item::Record(_)),
                "a record arrived after the partition was removed"
            );
        }
    });
    rest.await.expect("the channel closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_is_an_error_and_not_created() {
    let setup = Setup::new();
    let (sink, _items) = mpsc::channel(10);
    let name = setup.name("absent");
    let reader = setup.reader();
    let error = reader
        .add(
            TopicPartition::new(name.as_str(), 0),
            ReadOptions::new(Start::Beginning),
            sink,
        )
        .await;
    assert!(matches!(error, Err(kafka_log::Error::UnknownTopic(_))), "got {error:?}");
    assert!(setup.admin.topics(&name).await.expect("list").is_empty());
}

/// Deleted and made again while somebody reads it: nothing of what is written to the new one is passed over.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_made_again_is_read_from_its_beginning() {
    let setup = Setup::new();
    let topic = setup.topic("again", 1).await;
    let old = ["a", "b", "c", "d"];
    write(&setup.producer(), &topic, 0, &old).await;
    let reader = setup.reader();
    let mut items = read_from(&reader, &topic, 0, Start::Beginning).await;
    for value in old {
        assert_eq!(next_value(&mut items).await, value);
    }
    setup.admin.delete(&topic).await.expect("deleted");
    let made = tokio::time::timeout(PATIENCE, async {
        // The broker may not be done with the old one.
        while !matches!(setup.admin.create(&topic, 1, 1, &[]).await, Ok(true)) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    made.await.expect("made again");
    write(&setup.producer(), &topic, 0, &["x", "y"]).await;
    assert_eq!(next_value(&mut items).await, "x");
    assert_eq!(next_value(&mut items).await, "y");
}
