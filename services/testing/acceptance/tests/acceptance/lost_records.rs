//! Records that somebody deleted before they were read: counted, logged and passed over, and nothing after them is held up.

use std::time::Duration;

use acceptance::Stage;
use harness::{Installation, Options, Process, until};
use kafka_log::{Admin, TopicPartition, Watermarks};

const PATIENCE: Duration = Duration::from_secs(60);
const WORDS: &str = "records were deleted before they were read";

/// Deletes everything that is in a topic.
async fn delete_all(installation: &Installation, topic: &str) {
    let connection = installation.connection();
    let watermarks = Watermarks::new(&connection).expect("watermarks");
    let mut below = Vec::new();
    for number in 0..watermarks.partitions(topic).await.expect("partitions") {
        let (_, end) = watermarks.range(topic, number).await.expect("a range");
        below.push((TopicPartition::new(topic, number), end));
    }
    let admin = Admin::new(&connection).expect("an admin client");
    admin.delete_records(&below).await.expect("deleted");
}

/// Waits until a process has counted this many records of a class as lost, and has said so in its log.
async fn loss_is_raised(installation: &Installation, process: &Process, class: &str, count: usize) {
    let line = format!("hookline_lost_records_total{{topic_class=\"{class}\"}} {count}");
    until("the loss is counted", PATIENCE, async || {
        let metrics = process.metrics().await.map_err(|error| format!("{error:#}"))?;
        let lost = metrics
            .lines()
            .filter(|line| line.starts_with("hookline_lost_records_total"));
        let lost: Vec<_> = lost.collect();
        lost.contains(&line.as_str())
            .then_some(())
            .ok_or_else(|| lost.join(", "))
    })
    .await
    .expect("it is counted");
    let log = installation.log_dir().join(format!("{}.log", process.name()));
    let log = std::fs::read_to_string(log).expect("a log");
    let said = log.lines().filter(|line| line.contains(WORDS)).collect::<Vec<_>>();
    assert!(
        !said.is_empty() && said.iter().all(|line| line.contains("ERROR")),
        "{said:?}"
    );
}

#[tokio::test]
async fn invariant_1_what_was_deleted_unread_is_counted_and_raised_and_the_rest_goes_on() {
    let stage = Stage::set(Options::new("lost")).await.expect("an installation");
    let door = stage.door("door", |endpoint| endpoint.placement = "shared".into());
    let door = door.await.expect("an endpoint");
    let installation = &stage.installation;
    let mut fanout = installation.serve("fanout", &["fanout"]).await.expect("ready");
    let mut dispatcher = installation.serve("dispatcher", &["dispatcher"]).await.expect("ready");
    let first = stage.publish(3).await.expect("published");
    stage.arrive(&first, &[&door]).await.expect("it works");

    dispatcher.terminate().await.expect("ends in order");
    stage.publish(5).await.expect("published");
    until("fan-out has written them", PATIENCE, async || {
        let logbook = installation.logbook().await.map_err(|error| format!("{error:#}"))?;
        let known = logbook.deliveries.len();
        (known == 8).then_some(()).ok_or_else(|| format!("{known} of 8"))
    })
    .await
    .expect("written");
    delete_all(installation, &installation.names().lanes()).await;
    dispatcher.restart(&[]).await.expect("it starts");
    dispatcher.ready().await.expect("ready");
    loss_is_raised(installation, &dispatcher, "lanes", 5).await;

    fanout.terminate().await.expect("ends in order");
    stage.publish(4).await.expect("published");
    delete_all(installation, &installation.names().events()).await;
    fanout.restart(&[]).await.expect("it starts");
    fanout.ready().await.expect("ready");
    loss_is_raised(installation, &fanout, "source", 4).await;

    let last = stage.publish(3).await.expect("published");
    stage.arrive(&last, &[&door]).await.expect("what comes later arrives");
    assert_eq!(door.hook.tally().requests, 6, "what was deleted came all the same");
    stage.strike(vec![fanout, dispatcher]).await.expect("ends in order");
}
