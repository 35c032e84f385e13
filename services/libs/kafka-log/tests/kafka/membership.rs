//! Owning partitions: handing over, committing for others' topics, and what an evicted member may not do.

use crate::setup::{PATIENCE, Setup};
use kafka_log::{Commit, Connection, Membership, MembershipOptions, Ownership, TopicPartition};
use nix::{sys::signal::Signal, unistd::Pid};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::sync::mpsc;

fn commit(partition: &TopicPartition, offset: i64, metadata: &str) -> (TopicPartition, Vec<Commit>) {
    (
        partition.clone(),
        vec![Commit {
            partition: partition.clone(),
            offset,
            metadata: metadata.into(),
        }],
    )
}

async fn assigned(events: &mut mpsc::Receiver<Ownership>, count: usize) -> Vec<TopicPartition> {
    let mut owned = Vec::new();
    while owned.len() < count {
        match tokio::time::timeout(PATIENCE, events.recv())
            .await
            .expect("an assignment in time")
            .expect("an event")
        {
            Ownership::Assigned(partitions) => owned.extend(partitions),
            Ownership::Revoked(partitions, answer) => {
                owned.retain(|p| !partitions.contains(p));
                answer.send(Vec::new()).expect("the member waits for the answer");
            }
            Ownership::Lost(partitions) => owned.retain(|p| !partitions.contains(p)),
        }
    }
    owned
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_2_the_last_commit_of_a_revoked_partition_reaches_its_new_owner() {
    let setup = Setup::new();
    let topic = setup.topic("owned", 4).await;
    let options = MembershipOptions::new(setup.name("group"), vec![topic.clone()]);
    let (first, mut first_events) = Membership::join(&setup.connection, &options).expect("join");
    let owned = assigned(&mut first_events, 4).await;
    first
        .commit(owned.iter().map(|p| commit(p, 10, "m10")).collect())
        .await
        .expect("commit");

    let (second, mut second_events) = Membership::join(&setup.connection, &options).expect("join");
    let Ownership::Revoked(revoked, answer) = tokio::time::timeout(PATIENCE, first_events.recv())
        .await
        .expect("in time")
        .expect("an event")
    else {
        panic!("a joiner takes partitions away")
    };
    let last = revoked.iter().flat_map(|p| commit(p, 20, "m20").1).collect();
    answer.send(last).expect("the member waits");
    let taken = assigned(&mut second_events, revoked.len()).await;
    for committed in second.committed(taken.clone()).await.expect("committed") {
        assert_eq!((committed.offset, committed.metadata.as_str()), (Some(20), "m20"));
    }
    // The first is alive and still a member, yet must not move what it no longer owns.
    let made = first
        .commit(taken.iter().map(|p| commit(p, 5, "stale")).collect())
        .await
        .expect("an answer");
    assert!(made.is_empty(), "a revoked partition was committed: {made:?}");
    for committed in second.committed(taken).await.expect("committed") {
        assert_eq!(committed.offset, Some(20));
    }
    first.leave().await;
    let all = assigned(&mut second_events, 4 - revoked.len()).await;
    assert_eq!(
        all.len(),
        4 - revoked.len(),
        "the rest comes over when the first leaves"
    );
    second.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_commits_for_topics_that_come_with_its_partition() {
    let setup = Setup::new();
    let lanes = setup.topic("lanes", 1).await;
    let dedicated = setup.topic("endpoint.x.1", 1).await;
    let options = MembershipOptions::new(setup.name("group"), vec![lanes.clone()]);
    let (member, mut events) = Membership::join(&setup.connection, &options).expect("join");
    let owned = assigned(&mut events, 1).await;
    let other = TopicPartition::new(dedicated.as_str(), 0);
    let entry = Commit {
        partition: other.clone(),
        offset: 7,
        metadata: "v1|x".into(),
    };
    let made = member
        .commit(vec![(owned[0].clone(), vec![entry])])
        .await
        .expect("commit");
    assert_eq!(made, owned);
    let committed = member.committed(vec![other]).await.expect("committed");
    assert_eq!((committed[0].offset, committed[0].metadata.as_str()), (Some(7), "v1|x"));
    member.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_gone_holds_up_no_other_commit() {
    let setup = Setup::new();
    let lanes = setup.topic("lanes", 2).await;
    let options = MembershipOptions::new(setup.name("group"), vec![lanes.clone()]);
    let (member, mut events) = Membership::join(&setup.connection, &options).expect("join");
    let owned = assigned(&mut events, 2).await;
    let gone = TopicPartition::new(setup.name("endpoint.gone.1"), 0);
    let mut commits: Vec<_> = owned.iter().map(|p| commit(p, 3, "")).collect();
    commits[0].1.insert(0, commit(&gone, 1, "").1.remove(0));
    let mut made = member.commit(commits).await.expect("the others are committed");
    made.sort();
    let mut wanted = owned.clone();
    wanted.sort();
    assert_eq!(made, wanted);
    for committed in member.committed(owned).await.expect("committed") {
        assert_eq!(committed.offset, Some(3));
    }
    member.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_learns_that_a_member_has_left() {
    let setup = Setup::new();
    let topic = setup.topic("left", 1).await;
    let options = MembershipOptions::new(setup.name("group"), vec![topic]);
    let (member, mut events) = Membership::join(&setup.connection, &options).expect("join");
    assigned(&mut events, 1).await;
    let leaving = tokio::spawn(async move { member.leave().await });
    let closed = async {
        while let Some(event) = events.recv().await {
            if let Ownership::Revoked(_, answer) = event {
                let _ = answer.send(Vec::new());
            }
        }
    };
    tokio::time::timeout(PATIENCE, closed)
        .await
        .expect("the channel closes");
    leaving.await.expect("it has left");
}

/// A second process with the same instance id takes its place: the first must not look alive.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_place_was_taken_says_so() {
    let setup = Setup::new();
    let topic = setup.topic("static", 1).await;
    let mut options = MembershipOptions::new(setup.name("group"), vec![topic]);
    options.instance_id = Some("one".into());
    let (_first, mut events) = Membership::join(&setup.connection, &options).expect("join");
    assigned(&mut events, 1).await;
    let (second, mut second_events) = Membership::join(&setup.connection, &options).expect("join");
    assigned(&mut second_events, 1).await;
    let closed = async { while events.recv().await.is_some() {} };
    tokio::time::timeout(PATIENCE, closed)
        .await
        .expect("the channel closes");
    second.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_commits_go_in_batches_that_the_brokers_take() {
    let setup = Setup::new();
    let topic = setup.topic("many", 300).await;
    let options = MembershipOptions::new(setup.name("group"), vec![topic.clone()]);
    let (member, mut events) = Membership::join(&setup.connection, &options).expect("join");
    let owned = assigned(&mut events, 300).await;
    let metadata = "x".repeat(4096);
    member
        .commit(owned.iter().map(|p| commit(p, 1, &metadata)).collect())
        .await
        .expect("300 times 4 KiB");
    let committed = member.committed(owned).await.expect("committed");
    assert!(
        committed
            .iter()
            .all(|c| c.offset == Some(1) && c.metadata.len() == 4096)
    );
    member.leave().await;
}

/// Runs in a process of its own, as a member that the test below stops: commits again and again, and says what comes
/// of it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs as the child of invariant_3_an_evicted_member_commits_nothing"]
async fn zombie_child() {
    let prefix = std::env::var("ZOMBIE_PREFIX").expect("set by the parent");
    let bootstrap = std::env::var(brokers::BOOTSTRAP_VARIABLE).expect("set by the parent");
    let connection = Connection::new(bootstrap, prefix.as_str(), BTreeMap::new());
    let options = MembershipOptions::new(format!("{prefix}group"), vec![format!("{prefix}evicted")]);
    let (zombie, mut events) = Membership::join(&connection, &options).expect("join");
    let owned = assigned(&mut events, 1).await;
    // The child says what it does on its standard output, a line each.
    loop {
        match zombie.commit(vec![commit(&owned[0], 1, "")]).await {
            Ok(made) if !made.is_empty() => println!("committed"),
            Ok(_) => println!("refused: not owned"),
            Err(error) if error.is_fenced() => println!("refused: {error}"),
            Err(error) => println!("failed: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_an_evicted_member_commits_nothing() {
    let setup = Setup::new();
    let topic = setup.topic("evicted", 1).await;
    let child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "membership::zombie_child", "--ignored", "--nocapture"])
        .env("ZOMBIE_PREFIX", setup.connection.names().prefix())
        .env(brokers::BOOTSTRAP_VARIABLE, setup.connection.brokers())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the zombie");
    let mut child = Zombie(child);
    let mut lines = BufReader::new(child.0.stdout.take().expect("piped"))
        .lines()
        .map_while(Result::ok);
    assert!(
        lines.any(|line| line == "committed"),
        "the zombie commits while it is a member"
    );
    child.signal(Signal::SIGSTOP);

    let options = MembershipOptions::new(setup.name("group"), vec![topic]);
    let (heir, mut events) = Membership::join(&setup.connection, &options).expect("join");
    let taken = assigned(&mut events, 1).await;
    heir.commit(vec![commit(&taken[0], 9, "")])
        .await
        .expect("the heir commits");
    child.signal(Signal::SIGCONT);
    assert!(
        lines.any(|line| line.starts_with("refused")),
        "the zombie learns that it is none any more"
    );
    assert_eq!(
        heir.committed(taken).await.expect("committed")[0].offset,
        Some(9),
        "a zombie moved an offset"
    );
    heir.leave().await;
}

struct Zombie(Child);

impl Zombie {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).expect("a pid"));
        nix::sys::signal::kill(pid, signal).expect("signal the zombie");
    }
}

impl Drop for Zombie {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
