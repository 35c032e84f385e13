//! A process that stands still until the group has given its shards away, and comes back.

use crate::{
    receiver::Receiver,
    setup::{LANES, World, ids, options, sorted},
};
use dispatcher::Service;
use kafka_log::Connection;
use ledger::{Keyring, Ledger, Writer};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use runtime::CancellationToken;
use std::{
    collections::BTreeMap,
    io::Read,
    process::{Child, Command, Stdio},
};

const BROKERS: &str = "DISPATCHER_TEST_BROKERS";
const PREFIX: &str = "DISPATCHER_TEST_PREFIX";
const KEY: &str = "DISPATCHER_TEST_KEY";

/// An instance of the role in a process of its own, which ends with the test.
struct Process(Child);

impl Process {
    fn start(world: &World) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("a test knows its binary"));
        command
            .args(["--exact", "zombie::an_instance", "--ignored", "--nocapture"])
            .env(BROKERS, world.connection.brokers())
            .env(PREFIX, world.connection.names().prefix())
            .env(KEY, &world.key)
            .stdin(Stdio::piped());
        Self(command.spawn().expect("the test binary runs"))
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).expect("a process id"));
        kill(pid, signal).expect("a child can be signalled");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test of its own: what [`Process`] runs, until its standard input closes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is the child of the test below"]
async fn an_instance() {
    let variable = |name: &str| std::env::var(name).expect("the parent gives it");
    let connection = Connection::new(variable(BROKERS), variable(PREFIX), BTreeMap::new());
    let keyring = Keyring::new(&variable(KEY), &[]).expect("a key");
    let ledger = Ledger::start(&connection).await.expect("the ledger is followed");
    let shutdown = CancellationToken::new();
    let closed = shutdown.clone();
    std::thread::spawn(move || {
        // Closed is as good as an error: the parent is gone.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        closed.cancel();
    });
    let writer = Writer::start(&connection, &ledger).await.expect("a writer");
    Service::run(&connection, options(), ledger, writer, keyring, shutdown)
        .await
        .expect("it ends well");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_an_evicted_instance_sends_nothing_and_works_again_when_shards_come_back() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let mut endpoints = Vec::new();
    for shard in 0..LANES {
        for placement in ["shared", "dedicated"] {
            let path = format!("/{shard}/{placement}");
            let endpoint = world.endpoint_in(shard, receiver.url(&path), |e| e.placement = placement.into());
            endpoints.push((path, endpoint.await));
        }
    }
    let zombie = Process::start(&world);
    let mut published = Vec::new();
    let mut second = None;
    for round in 1..=3 {
        match round {
            2 => {
                zombie.signal(Signal::SIGSTOP);
                second = Some(world.instance().await);
            }
            3 => {
                zombie.signal(Signal::SIGCONT);
                let second = second.take().expect("it was started");
                second.end().await;
            }
            _ => {}
        }
        for (_, endpoint) in &endpoints {
            let deliveries = world.deliveries(endpoint, 10);
            world.publish(&deliveries).await;
            published.extend(deliveries);
        }
        for (path, endpoint) in &endpoints {
            receiver.until(path, 10 * round).await;
            world
                .until_committed(endpoint, i64::try_from(10 * round).expect("it is small"))
                .await;
        }
    }
    drop(zombie);
    for (path, endpoint) in &endpoints {
        let mine: Vec<_> = published
            .iter()
            .filter(|d| d.endpoint_id == endpoint.id)
            .cloned()
            .collect();
        assert_eq!(sorted(receiver.ids(path)), ids(&mine), "{path}: each delivery once");
    }
    world.end().await;
}
