//! Leaders that go: whoever asks is told by their successors.

use kafka_log::{Admin, Connection, Watermarks};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

const PARTITIONS: i32 = 6;
/// Brokers take a dead one's partitions over after its session, 9 s. Until its client forgets a leader by itself it is five
/// minutes.
const TAKEN_OVER: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn ends_are_told_by_the_next_leader_while_the_last_one_is_away() {
    let options = brokers::Options {
        nodes: 3,
        ..brokers::Options::default()
    };
    let cluster = tokio::task::spawn_blocking(|| brokers::Cluster::start(options));
    let cluster = Arc::new(cluster.await.expect("no panic").expect("three nodes"));
    let connection = Connection::new(cluster.bootstrap(), "t.", BTreeMap::new());
    let admin = Admin::new(&connection).expect("an admin client");
    assert!(admin.create("t.wide", PARTITIONS, 3, &[]).await.expect("create"));
    let watermarks = Watermarks::new(&connection).expect("a client");
    tell_all(&watermarks).await;
    // It leads some of them.
    let killed = tokio::task::spawn_blocking(move || cluster.kill(1).map(|()| cluster));
    let cluster = killed.await.expect("no panic").expect("it is killed");
    tell_all(&watermarks).await;
    drop(cluster);
}

async fn tell_all(watermarks: &Watermarks) {
    let told = async {
        for partition in 0..PARTITIONS {
            while let Err(error) = watermarks.range("t.wide", partition).await {
                assert!(error.may_pass(), "{error}");
            }
        }
    };
    tokio::time::timeout(TAKEN_OVER, told).await.expect("somebody leads it");
}
