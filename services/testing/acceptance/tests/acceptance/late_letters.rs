//! A dead letter that was written late: an endpoint without retries dies at once, is replayed, dies again, and then the
//! first death's letter is written once more, as by a dispatcher that stood still.

use acceptance::Stage;
use harness::logbook::Outcome;
use harness::{Answer, Behaviour, Options, read_to_end, until};
use kafka_log::{Outgoing, Producer};
use serde_json::Value;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_late_dead_letter_hides_neither_the_replays_death_nor_its_delivery() {
    let stage = Stage::set(Options::new("late-letters")).await.expect("an installation");
    let door = stage.door("broken", |_| ()).await.expect("an endpoint");
    door.hook.behave(Behaviour::always(Answer::status(500)));
    let update = ["endpoint", "update", &door.id, "--direct", "--retry-schedule", "none"];
    stage.installation.hookline(update).await.expect("no retries");
    let rest = stage
        .installation
        .serve("rest", &["fanout", "dispatcher", "scheduler"])
        .await
        .expect("ready");
    let ids = stage.publish(1).await.expect("published");
    stage.resolved(Outcome::Dead, 1).await.expect("it dies at once");
    assert_eq!(door.hook.requests().len(), 1, "no retries");
    let connection = stage.installation.connection();
    let dlq = connection.names().dlq();
    let first = read_to_end(&connection, &dlq).await.expect("its letter").remove(0);
    let late = Outgoing {
        topic: dlq.clone(),
        partition: Some(first.partition),
        key: first.key.as_deref().map(<[u8]>::to_vec),
        value: first.value.as_deref().map(<[u8]>::to_vec),
        headers: Vec::new(),
    };
    let producer = Producer::new(&connection).expect("a producer");

    let replay = ["dlq", "replay", "--endpoint", &door.id];
    stage.installation.hookline(replay).await.expect("replayed");
    until("the replay dies too", PATIENCE, async || {
        match dead_letters(&stage).await.len() {
            1 => Ok(()),
            count => Err(format!("{count} dead letters")),
        }
    })
    .await
    .expect("a letter of its own");
    producer.write(&late).await.expect("written late");
    let listed = dead_letters(&stage).await;
    assert_eq!(
        (listed.len(), &listed[0]["replayCount"]),
        (1, &Value::from(1)),
        "the replay's letter counts"
    );

    door.hook.behave(Behaviour::always(Answer::ok()));
    stage.installation.hookline(replay).await.expect("replayed again");
    stage.arrive(&ids, &[&door]).await.expect("it arrives");
    producer.write(&late).await.expect("written late");
    assert_eq!(dead_letters(&stage).await.len(), 0, "what was delivered is not dead");
    assert_eq!(door.hook.requests().len(), 3);
    stage.strike(vec![rest]).await.expect("ends in order");
}

async fn dead_letters(stage: &Stage) -> Vec<Value> {
    let listed = stage
        .installation
        .hookline_json(&["dlq", "list"])
        .await
        .expect("a list");
    listed.as_array().expect("a list").clone()
}
