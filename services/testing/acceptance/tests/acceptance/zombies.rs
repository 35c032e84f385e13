//! A process that stands still for longer than its session, as in a long pause of its machine, and then goes on: what it
//! held is another's by then.

use acceptance::Stage;
use harness::logbook::Outcome;
use harness::{Answer, Behaviour, Installation, Options, until};
use kafka_log::{Admin, GroupOffsets, TopicPartition};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

const EVENTS: usize = 40;
const HALT: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(60);
const MAX_IN_FLIGHT: usize = 8;
const ROLES: [&str; 2] = ["dispatcher", "scheduler"];

#[tokio::test]
async fn invariant_3_a_zombie_repeats_at_most_what_it_had_in_flight_and_moves_no_offset() {
    let options = Options::new("zombie")
        .set("dispatcher.max_in_flight", MAX_IN_FLIGHT.to_string())
        .set("delivery.retry_schedule_sec", "[1,1,1,1]");
    let stage = Stage::set(options).await.expect("an installation");
    let mut doors = Vec::new();
    for (name, placement) in [("a", "dedicated"), ("b", "shared"), ("c", "dedicated"), ("d", "shared")] {
        let door = stage.door(name, |endpoint| endpoint.placement = placement.into());
        let door = door.await.expect("an endpoint");
        door.hook.behave(Behaviour::first(vec![
            Answer::status(503),
            Answer::slow(Duration::from_millis(100)),
        ]));
        doors.push(door);
    }
    let doors: Vec<_> = doors.iter().collect();
    let fanout = stage.installation.serve("fanout", &["fanout"]).await.expect("ready");
    let zombie = stage.installation.serve("zombie", &ROLES).await.expect("ready");
    let heir = stage.installation.serve("heir", &ROLES).await.expect("ready");

    let mut ids = stage.publish(EVENTS).await.expect("published");
    // In the middle of it.
    stage.arrive(&ids[..1], &doors).await.expect("it has begun");
    zombie.halt().expect("halted");
    let halted_at = Instant::now();
    ids.extend(stage.publish(EVENTS).await.expect("published"));
    stage
        .arrive(&ids, &doors)
        .await
        .expect("the heir has taken over everything");
    sleep_until(halted_at + HALT).await;
    let stop = CancellationToken::new();
    let partitions = owned(&stage.installation).await.expect("topics");
    let offsets = tokio::spawn(went_back(
        GroupOffsets::new(
            &stage.installation.connection(),
            &stage.installation.names().dispatcher_group(),
        )
        .expect("a client"),
        partitions,
        stop.clone(),
    ));
    zombie.resume().expect("resumed");
    until(
        "it has learned that it is one, and is given shards",
        PATIENCE,
        async || {
            let metrics = zombie.metrics().await.map_err(|error| format!("{error:#}"))?;
            let is_some = |series: &str| {
                let count = metrics.lines().find_map(|line| line.strip_prefix(series));
                count.is_some_and(|count| count != " 0")
            };
            let is_back = is_some(r#"hookline_owner_changes_total{why="lost"}"#) && is_some("hookline_shards_owned");
            is_back.then_some(()).ok_or_else(|| metrics.clone())
        },
    )
    .await
    .expect("its member was evicted");
    ids.extend(stage.publish(EVENTS).await.expect("published"));
    stage.arrive(&ids, &doors).await.expect("nothing is lost (invariant 1)");
    stage
        .resolved(Outcome::Delivered, ids.len() * doors.len())
        .await
        .expect("the log resolves each to one outcome (invariant 1)");
    let (again, bad_signatures) = stage.flaws(&doors);
    assert_eq!(bad_signatures, 0);
    // The scheduler's transactions repeat nothing.
    assert!(again <= MAX_IN_FLIGHT, "{again} came again, of at most {MAX_IN_FLIGHT}");
    stop.cancel();
    let (looks, went_back) = offsets.await.expect("it doesn't panic");
    assert!(looks > 10, "the offsets were looked at {looks} times");
    assert!(went_back.is_empty(), "a zombie moved offsets: {went_back:?}");
    let at_once: Vec<_> = doors.iter().map(|door| door.hook.tally().most_at_once).collect();
    println!("zombies: {again} came again, at most {at_once:?} at once of {MAX_IN_FLIGHT}");
    assert!(at_once.iter().all(|most| *most <= 2 * MAX_IN_FLIGHT), "{at_once:?}");
    stage
        .strike(vec![zombie, heir, fanout])
        .await
        .expect("both end in order");
}

/// What dispatchers own.
async fn owned(installation: &Installation) -> anyhow::Result<Vec<TopicPartition>> {
    let names = installation.names();
    let topics = Admin::new(&installation.connection())?.topics(names.prefix()).await?;
    let is_owned =
        |topic: &str| topic == names.lanes() || topic == names.returns() || topic.starts_with(&names.endpoint_prefix());
    let owned = topics.iter().filter(|(topic, _)| is_owned(topic));
    Ok(owned
        .flat_map(|(topic, described)| (0..described.partitions).map(|n| TopicPartition::new(topic.as_str(), n)))
        .collect())
}

/// Looks at what is committed over and over: how often, and which offsets were lower than before.
async fn went_back(
    group: GroupOffsets,
    partitions: Vec<TopicPartition>,
    stop: CancellationToken,
) -> (usize, Vec<String>) {
    let (mut looks, mut highest, mut found) = (0, HashMap::new(), Vec::new());
    while !stop.is_cancelled() {
        let committed = group.committed(partitions.clone()).await.expect("the group is asked");
        looks += 1;
        for one in committed {
            let offset = one.offset.unwrap_or(0);
            let before = highest.entry(one.partition.clone()).or_insert(offset);
            if offset < *before {
                found.push(format!("{} from {before} to {offset}", one.partition));
            }
            *before = offset.max(*before);
        }
        // Brokers tell nobody of a commit: they have to be asked.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (looks, found)
}
