//! Topics that nobody needs any more go; all others stay.

use crate::support::World;
use anyhow::{Context, Result, ensure};
use kafka_log::{Commit, Membership, MembershipOptions, Outgoing, Ownership, TopicPartition, topics};
use std::{collections::BTreeSet, time::Duration};
use tokio::{sync::mpsc, time::Instant};

/// Somebody else's place in their group.
struct Member {
    membership: Membership,
    _ownership: mpsc::Receiver<Ownership>,
    owned: Vec<TopicPartition>,
}

impl Member {
    async fn join(world: &World, group: String, topic: String, partitions: usize) -> Result<Self> {
        let options = MembershipOptions::new(group, vec![topic]);
        let (membership, mut ownership) = Membership::join(&world.connection, &options)?;
        let mut owned = Vec::new();
        while owned.len() < partitions {
            if let Ownership::Assigned(partitions) = ownership.recv().await.context("the membership ended")? {
                owned.extend(partitions);
            }
        }
        Ok(Self {
            membership,
            _ownership: ownership,
            owned,
        })
    }

    async fn commit(&self, commits: Vec<(TopicPartition, Vec<Commit>)>) -> Result<()> {
        let wanted = commits.len();
        ensure!(
            self.membership.commit(commits).await?.len() == wanted,
            "all partitions are owned"
        );
        Ok(())
    }

    /// As a fan-out that has reached this version of the ledger.
    async fn report(&self, version: i64) -> Result<()> {
        let commit = |partition: &TopicPartition| {
            let commit = Commit {
                partition: partition.clone(),
                offset: 0,
                metadata: format!("v1|{version}"),
            };
            (partition.clone(), vec![commit])
        };
        self.commit(self.owned.iter().map(commit).collect()).await
    }

    /// As a dispatcher that has done everything below `offset` of a dedicated topic.
    async fn done(&self, topic: &str, offset: i64) -> Result<()> {
        let commit = Commit {
            partition: TopicPartition::new(topic, 0),
            offset,
            metadata: String::new(),
        };
        self.commit(vec![(self.owned[0].clone(), vec![commit])]).await
    }
}

impl World {
    async fn dedicated(&self, id: &str, number: i64, records: usize) -> Result<String> {
        let topic = self.connection.names().endpoint(id, number);
        topics::create(&self.admin, &topics::endpoint_topic(topic.clone()), 1).await?;
        for _ in 0..records {
            self.producer
                .write(&Outgoing::new(topic.as_str(), 0, id, b"delivery".to_vec()))
                .await?;
        }
        Ok(topic)
    }

    async fn remaining(&self) -> Result<BTreeSet<String>> {
        Ok(self
            .admin
            .topics(&self.connection.names().endpoint_prefix())
            .await?
            .into_keys()
            .collect())
    }

    async fn until_deleted(&self, topic: &str) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.remaining().await?.contains(topic) {
            ensure!(Instant::now() < deadline, "{topic} is still there");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// When a new orphan is gone, the janitor has looked at all topics at least twice.
    async fn rounds_pass(&self, number: i64) -> Result<()> {
        let orphan = self.dedicated("wh_clock", number, 0).await?;
        self.until_deleted(&orphan).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_nobody_needs_is_deleted() -> Result<()> {
    let world = World::new().await?;
    world.configure_endpoint("wh_live", "active", Some(1)).await?;
    world.configure_endpoint("wh_moved", "active", Some(2)).await?;
    world.configure_endpoint("wh_gone", "deleted", Some(1)).await?;
    let live = world.dedicated("wh_live", 1, 2).await?;
    let moved_from = world.dedicated("wh_moved", 1, 0).await?;
    let moved_to = world.dedicated("wh_moved", 2, 0).await?;
    let gone = world.dedicated("wh_gone", 1, 3).await?;
    let lost = world.dedicated("wh_lost", 1, 1).await?;
    let names = world.connection.names();
    let fanout = Member::join(&world, names.fanout_group(), names.events(), 16).await?;
    let dispatcher = Member::join(&world, names.dispatcher_group(), names.lanes(), 4).await?;
    let mut options = world.options();
    options.janitor_every = Duration::from_millis(300);
    let running = world.start(options).await?;
    let all = BTreeSet::from([
        live.clone(),
        moved_from.clone(),
        moved_to.clone(),
        gone.clone(),
        lost.clone(),
    ]);

    world.rounds_pass(1).await?;
    assert_eq!(world.remaining().await?, all, "fan-out has reported nothing");
    dispatcher.done(&gone, 3).await?;
    fanout.report(0).await?;
    world.rounds_pass(2).await?;
    assert_eq!(world.remaining().await?, all, "fan-out may not know of the deletion");
    dispatcher.done(&gone, 2).await?;
    fanout.report(1_000).await?;
    world.until_deleted(&moved_from).await?;
    world.rounds_pass(3).await?;
    assert!(world.remaining().await?.contains(&gone), "one delivery is not done");
    dispatcher.done(&gone, 3).await?;
    world.until_deleted(&gone).await?;
    world.rounds_pass(4).await?;
    assert_eq!(world.remaining().await?, BTreeSet::from([live, moved_to, lost]));
    running.stop().await
}
