//! Topics that were unknown when they were first asked for. Beside one that is known, librdkafka remembers that for a
//! quarter of an hour, as it does for all that a broker didn't know yet when it came back.

use crate::setup::{PATIENCE, Setup};
use kafka_log::{Error, Outgoing, ReadOptions, Start, TopicPartition, TransactionalProducer, Watermarks};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

#[tokio::test(flavor = "multi_thread")]
async fn ends_are_told_once_the_topic_is_there() {
    let setup = Setup::new();
    let known = setup.topic("known", 1).await;
    let watermarks = Watermarks::new(&setup.connection).expect("a client");
    assert_eq!(watermarks.range(&known, 0).await.expect("ends"), (0, 0));
    let late = setup.name("late");
    let unknown = watermarks.range(&late, 0).await;
    assert!(matches!(unknown, Err(Error::UnknownTopic(_))), "{unknown:?}");
    setup.topic("late", 1).await;
    let range = until_known(async || watermarks.range(&late, 0).await).await;
    assert_eq!(range, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_begins_once_the_topic_is_there() {
    let setup = Setup::new();
    let (known, late) = (setup.topic("known", 1).await, setup.name("late"));
    let reader = setup.reader();
    let (sink, _items) = mpsc::channel(1);
    let add = async |topic: &str| {
        let options = ReadOptions::new(Start::Beginning);
        reader.add(TopicPartition::new(topic, 0), options, sink.clone()).await
    };
    add(&known).await.expect("begin to read");
    let unknown = add(&late).await;
    assert!(matches!(unknown, Err(Error::UnknownTopic(_))), "{unknown:?}");
    setup.topic("late", 1).await;
    until_known(async || add(&late).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writing_begins_once_the_topic_is_there() {
    let setup = Setup::new();
    let (known, late) = (setup.topic("known", 1).await, setup.name("late"));
    let producer = setup.producer();
    let write = async |topic: &str| {
        let record = Outgoing::new(topic, 0, "k", b"v".to_vec());
        producer.write_all(&[record]).await
    };
    write(&known).await.expect("write");
    let unknown = write(&late).await;
    assert!(matches!(unknown, Err(Error::UnknownTopic(_))), "{unknown:?}");
    setup.topic("late", 1).await;
    until_known(async || write(&late).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_write_once_the_topic_is_there() {
    let setup = Setup::new();
    let (known, late) = (setup.topic("known", 1).await, setup.name("late"));
    let mut producer = TransactionalProducer::start(&setup.connection, &setup.name("writer"))
        .await
        .expect("a producer");
    write_in_transaction(&mut producer, &known).await.expect("write");
    let unknown = write_in_transaction(&mut producer, &late).await;
    assert!(matches!(unknown, Err(Error::UnknownTopic(_))), "{unknown:?}");
    setup.topic("late", 1).await;
    until_known(async || write_in_transaction(&mut producer, &late).await).await;
}

async fn write_in_transaction(producer: &mut TransactionalProducer, topic: &str) -> Result<(), Error> {
    let transaction = producer.begin().await?;
    let record = Outgoing::new(topic, 0, "k", b"v".to_vec());
    match async { transaction.send(&record).await?.await }.await {
        Ok(_) => transaction.commit().await,
        Err(error) => {
            transaction.abort().await?;
            Err(error)
        }
    }
}

async fn until_known<T>(mut ask: impl AsyncFnMut() -> Result<T, Error>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) if error.may_pass() && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => panic!("it is there, and yet: {error}"),
        }
    }
}
