//! Brokers of a run's own cluster: one of three killed with SIGKILL and started again, over and over; once all of them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use brokers::Cluster;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::weather::Weather;

const QUIET_MS: std::ops::Range<u64> = 5_000..12_000;
const AWAY_MS: std::ops::Range<u64> = 2_000..8_000;
/// For how long all are away in a run that has the time for it.
const ALL_AWAY: Duration = Duration::from_secs(60);

/// How often brokers were away.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Outages {
    pub(crate) one: usize,
    pub(crate) all: usize,
}

/// What brokers do to topics that don't say otherwise: everything would be gone within seconds. Ours all say otherwise.
const DEADLY_RETENTION: [(&str, &str); 4] = [
    ("log.retention.ms", "10000"),
    ("log.retention.bytes", "20000"),
    ("log.retention.check.interval.ms", "2000"),
    ("log.roll.ms", "5000"),
];

/// A cluster of three, on this machine.
pub(crate) async fn start_cluster() -> anyhow::Result<Arc<Cluster>> {
    let options = brokers::Options {
        nodes: 3,
        extra_properties: DEADLY_RETENTION
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .to_vec(),
        ..brokers::Options::default()
    };
    let cluster = tokio::task::spawn_blocking(|| Cluster::start(options));
    Ok(Arc::new(cluster.await?.context("cannot start three brokers")?))
}

/// Until the storm is over. All brokers run when it returns.
pub(crate) async fn run(
    cluster: Arc<Cluster>,
    mut storm: watch::Receiver<bool>,
    weather: Weather,
    seed: u64,
) -> anyhow::Result<Outages> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut outages = Outages::default();
    loop {
        let quiet = Duration::from_millis(random.random_range(QUIET_MS));
        let over = async { storm.wait_for(|is_storm| !is_storm).await.map(drop) };
        let next = async {
            tokio::time::sleep(quiet).await;
            weather.until_it_blows().await;
        };
        tokio::select! {
            _ = over => return Ok(outages),
            () = next => {}
        }
        let all = cluster.node_ids();
        let mut away = Duration::from_millis(random.random_range(AWAY_MS));
        let is_long = weather.is_long();
        // The second outage is of all, so that short runs have it too; a long one has come into its stride first.
        let before = if is_long { 10 } else { 1 };
        let nodes = if outages.one == before && outages.all == 0 {
            outages.all += 1;
            if is_long {
                away = ALL_AWAY;
            }
            all
        } else {
            outages.one += 1;
            vec![all[random.random_range(0..all.len())]]
        };
        println!("chaos: SIGKILL brokers {nodes:?} for {:.1} s", away.as_secs_f64());
        on_each(&cluster, &nodes, |cluster, node| cluster.kill(node)).await?;
        tokio::time::sleep(away).await;
        on_each(&cluster, &nodes, |cluster, node| cluster.restart(node)).await?;
        println!("chaos: brokers {nodes:?} are back");
    }
}

/// At the same time: one of several that were all away can't come back alone.
async fn on_each(
    cluster: &Arc<Cluster>,
    nodes: &[u8],
    act: fn(&Cluster, u8) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut acting = JoinSet::new();
    for node in nodes.iter().copied() {
        let cluster = cluster.clone();
        acting.spawn_blocking(move || act(&cluster, node));
    }
    while let Some(acted) = acting.join_next().await {
        acted??;
    }
    Ok(())
}
