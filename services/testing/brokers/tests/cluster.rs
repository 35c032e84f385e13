//! Real clusters: they answer, survive a killed node, and leave nothing behind. What a client does with them is tested
//! in `kafka-log`.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use brokers::{Cluster, Options, Reaper};

fn listens(address: &str) -> bool {
    TcpStream::connect(address).is_ok()
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_node_is_killed_restarted_and_gone_at_the_end() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let cluster = Cluster::start(Options {
        dir: Some(dir.path().join("kafka")),
        ..Options::default()
    })
    .expect("a single node starts");
    let address = cluster.bootstrap().to_owned();
    assert!(listens(&address), "a started node listens");
    cluster.kill(1).expect("the node can be killed");
    assert!(!listens(&address), "a killed node does not listen");
    cluster.restart(1).expect("the node starts again on its port and data");
    assert!(listens(&address), "a restarted node listens");
    drop(cluster);
    assert!(!listens(&address), "a dropped cluster does not listen");
}

#[test]
fn three_nodes_go_on_without_one_and_take_it_back() {
    let cluster = Cluster::start(Options {
        nodes: 3,
        ..Options::default()
    })
    .expect("three nodes start");
    let addresses: Vec<_> = cluster.bootstrap().split(',').map(str::to_owned).collect();
    assert_eq!(addresses.len(), 3);
    cluster.kill(2).expect("a node can be killed");
    assert_eq!(addresses.iter().filter(|address| listens(address)).count(), 2);
    cluster.restart(2).expect("it comes back and sees the other two");
    assert!(addresses.iter().all(|address| listens(address)));
}

#[test]
fn a_panic_ends_the_nodes() {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let panicked = std::thread::spawn(move || {
        let cluster = Cluster::start(Options::default()).expect("a single node starts");
        sender
            .send(cluster.bootstrap().to_owned())
            .expect("the test waits for it");
        panic!("on purpose");
    });
    let address = receiver.recv().expect("the cluster starts before the panic");
    panicked.join().expect_err("the thread panics");
    assert!(!listens(&address));
}

#[test]
fn the_reaper_kills_and_cleans_up() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made").keep();
    let mut child = Command::new("sleep")
        .arg("1000")
        .stdin(Stdio::null())
        .spawn()
        .expect("sleep can be run");
    let reaper = Reaper::start(&["rm".into(), "-rf".into(), dir.clone().into_os_string()]).expect("sh can be run");
    reaper.watch(child.id().cast_signed()).expect("the reaper listens");
    drop(reaper);
    let status = child.wait().expect("the child can be waited for");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    assert!(!dir.exists());
}

#[test]
fn what_was_forgotten_lives_on() {
    let mut child = Command::new("sleep")
        .arg("1000")
        .stdin(Stdio::null())
        .spawn()
        .expect("sleep can be run");
    let pid = child.id().cast_signed();
    let reaper = Reaper::start(&[]).expect("sh can be run");
    reaper.watch(pid).expect("the reaper listens");
    reaper.forget(pid).expect("the reaper listens");
    drop(reaper);
    wait_until("the child is still there", || {
        Path::new(&format!("/proc/{pid}")).exists()
    });
    assert!(child.try_wait().expect("the child can be asked").is_none());
    child.kill().expect("the child can be killed");
    child.wait().expect("the child can be waited for");
}
