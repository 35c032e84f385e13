//! All or nothing, fencing, and a hanging transaction's end.

use crate::setup::{PATIENCE, Setup, next_value, read_from, until_reached};
use kafka_log::{
    Commit, Membership, MembershipOptions, Outgoing, Ownership, Start, TopicPartition, TransactionalProducer,
    Watermarks,
};

async fn send(producer: &mut TransactionalProducer, topic: &str, value: &str, commit: bool) {
    let transaction = producer.begin().await.expect("begin");
    transaction
        .send(&Outgoing::new(topic, 0, "k", value.into()))
        .await
        .expect("send")
        .await
        .expect("ack");
    if commit {
        transaction.commit().await.expect("commit");
    } else {
        transaction.abort().await.expect("abort");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_aborted_never_arrives() {
    let setup = Setup::new();
    let topic = setup.topic("aborted", 1).await;
    let mut producer = TransactionalProducer::start(&setup.connection, &setup.name("tx"))
        .await
        .expect("start");
    send(&mut producer, &topic, "kept", true).await;
    send(&mut producer, &topic, "taken back", false).await;
    // A dropped transaction is taken back before the next begins.
    {
        let dropped = producer.begin().await.expect("begin");
        dropped
            .send(&Outgoing::new(&topic, 0, "k", "dropped".into()))
            .await
            .expect("send")
            .await
            .expect("ack");
    }
    send(&mut producer, &topic, "kept too", true).await;
    let (_, end) = Watermarks::new(&setup.connection)
        .expect("client")
        .range(&topic, 0)
        .await
        .expect("range");
    let reader = setup.reader();
    let mut items = read_from(&reader, &topic, 0, Start::Beginning).await;
    assert_eq!(until_reached(&mut items, end).await, ["kept", "kept too"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_fences_and_frees_what_its_predecessor_left_hanging() {
    let setup = Setup::new();
    let topic = setup.topic("fenced", 1).await;
    let id = setup.name("tx");
    let mut first = TransactionalProducer::start(&setup.connection, &id)
        .await
        .expect("start");
    let hanging = first.begin().await.expect("begin");
    hanging
        .send(&Outgoing::new(&topic, 0, "k", "hanging".into()))
        .await
        .expect("send")
        .await
        .expect("ack");

    let mut second = TransactionalProducer::start(&setup.connection, &id)
        .await
        .expect("start");
    send(&mut second, &topic, "second", true).await;
    let reader = setup.reader();
    let mut items = read_from(&reader, &topic, 0, Start::Beginning).await;
    assert_eq!(
        next_value(&mut items).await,
        "second",
        "readers are not blocked, and the hanging record is gone"
    );
    let error = hanging.commit().await.expect_err("the predecessor is fenced");
    assert!(error.is_fenced(), "got {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_and_records_are_committed_together() {
    let setup = Setup::new();
    let (source, target) = (setup.topic("source", 1).await, setup.topic("target", 1).await);
    let options = MembershipOptions::new(setup.name("group"), vec![source.clone()]);
    let (member, mut events) = Membership::join(&setup.connection, &options).expect("join");
    let event = tokio::time::timeout(PATIENCE, events.recv())
        .await
        .expect("in time")
        .expect("an event");
    assert!(matches!(event, Ownership::Assigned(_)));
    let partition = TopicPartition::new(source.as_str(), 0);
    let mut producer = TransactionalProducer::start(&setup.connection, &setup.name("tx"))
        .await
        .expect("start");
    for (offset, commit) in [(3, false), (5, true)] {
        let transaction = producer.begin().await.expect("begin");
        transaction
            .send(&Outgoing::new(&target, 0, "k", b"v".to_vec()))
            .await
            .expect("send")
            .await
            .expect("ack");
        let offsets = [Commit {
            partition: partition.clone(),
            offset,
            metadata: "m".into(),
        }];
        transaction
            .commit_offsets(&offsets, member.group_metadata().expect("a member"))
            .await
            .expect("offsets");
        if commit {
            transaction.commit().await.expect("commit");
        } else {
            transaction.abort().await.expect("abort");
            let committed = member.committed(vec![partition.clone()]).await.expect("committed");
            assert_eq!(committed[0].offset, None, "aborted offsets are not committed");
        }
    }
    let committed = member.committed(vec![partition]).await.expect("committed");
    assert_eq!(committed[0].offset, Some(5));
    member.leave().await;
}
