//! Single records by their offsets: there, past their retention, taken back, and never written.

use crate::setup::{Setup, write};
use kafka_log::{Outgoing, Positions, TopicPartition, TransactionalProducer};

async fn values(positions: &Positions, topic: &str, partition: i32, offsets: &[i64]) -> Vec<Option<String>> {
    let at = TopicPartition::new(topic, partition);
    let read = positions.read(at, offsets.to_vec()).await.expect("it is read");
    let text = |record: kafka_log::Record| String::from_utf8_lossy(&record.value.unwrap_or_default()).into_owned();
    read.into_iter().map(|record| record.map(text)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_read_by_their_offsets_near_and_far() {
    let setup = Setup::new();
    let topic = setup.topic("positions", 2).await;
    let written: Vec<String> = (0..2_000).map(|n| format!("{n}-{}", "x".repeat(300))).collect();
    let written: Vec<&str> = written.iter().map(String::as_str).collect();
    write(&setup.producer(), &topic, 1, &written).await;
    let positions = Positions::new(&setup.connection);
    let offsets = [0, 1, 7, 180, 900, 901, 1_999];
    let expected: Vec<_> = offsets
        .iter()
        .map(|offset| Some(written[usize::try_from(*offset).expect("small")].to_owned()))
        .collect();
    // The same client again and again, and several at once.
    let ask = || values(&positions, &topic, 1, &offsets);
    let (a, b, c, d, e, f) = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask());
    for read in [a, b, c, d, e, f, ask().await] {
        assert_eq!(read, expected);
    }
    assert_eq!(
        values(&positions, &topic, 1, &[1_998, 2_000, 5_000]).await,
        [Some(written[1_998].to_owned()), None, None]
    );
    assert_eq!(
        values(&positions, &topic, 0, &[0]).await,
        [None],
        "the other partition is empty"
    );
    assert_eq!(values(&positions, &topic, 1, &[]).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_kept_or_was_taken_back_is_none() {
    let setup = Setup::new();
    let topic = setup.topic("past", 1).await;
    write(&setup.producer(), &topic, 0, &["a", "b", "c"]).await;
    let mut producer = TransactionalProducer::start(&setup.connection, &setup.name("tx"))
        .await
        .expect("start");
    let transaction = producer.begin().await.expect("begin");
    let sent = transaction
        .send(&Outgoing::new(&topic, 0, "k", "back".into()))
        .await
        .expect("send");
    sent.await.expect("ack");
    transaction.abort().await.expect("abort");
    write(&setup.producer(), &topic, 0, &["last"]).await;
    setup
        .admin
        .delete_records(&[(TopicPartition::new(topic.as_str(), 0), 2)])
        .await
        .expect("deleted");
    let positions = Positions::new(&setup.connection);
    let read = values(&positions, &topic, 0, &[0, 1, 2, 3, 4, 5]).await;
    // 3 was aborted, 4 is the transaction's marker.
    assert_eq!(
        read,
        [None, None, Some("c".to_owned()), None, None, Some("last".to_owned())]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_is_an_error() {
    let setup = Setup::new();
    let positions = Positions::new(&setup.connection);
    let at = TopicPartition::new(setup.name("nowhere"), 0);
    let refused = positions.read(at, vec![0]).await.expect_err("there is none");
    assert!(refused.may_pass(), "{refused}");
}
