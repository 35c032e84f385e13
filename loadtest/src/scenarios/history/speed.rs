//! The projection beside a dispatcher that works through a backlog, and alone, from the beginning of the log.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use harness::read_to_end;
use history_store::Store;

use super::Kind;
use crate::product::MAX_IN_FLIGHT;
use crate::receiver::Receiver;
use crate::stage::{FEW_LANES, Party, Placement, Setting, Stage};

const SHARD: i32 = 3;
const POLL: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(600);

/// What was measured.
pub(super) struct Speed {
    deliveries: u64,
    dispatched: Duration,
    projected: Duration,
    rebuilt: Duration,
    database_bytes: i64,
    log_bytes: usize,
}

impl Speed {
    /// The dispatcher's time by the projection's, from the same moment on: 1 when nothing was left to do.
    pub(super) fn kept_up(&self) -> f64 {
        self.dispatched.as_secs_f64() / self.projected.as_secs_f64()
    }

    pub(super) fn rebuilt_per_sec(&self) -> f64 {
        self.deliveries as f64 / self.rebuilt.as_secs_f64()
    }

    pub(super) fn text(&self) -> String {
        let per_sec = |time: Duration| self.deliveries as f64 / time.as_secs_f64();
        format!(
            "{} deliveries to one endpoint in the lanes, one dispatcher on a backlog: {:.0}/s at the receiver. The projection beside it\n\
             had all of them after {:.1} s, {:.1} s after the last request: {:.0} deliveries/s, **{:.2}** of the dispatcher's speed.\n\
             From the beginning of the log, alone: **{:.0} deliveries/s** (an event, a delivery and an attempt each).\n\
             {:.0} bytes a delivery in the database, its event included; {:.0} in the topic `log`, keys and values before they are\n\
             compressed.\n",
            self.deliveries,
            per_sec(self.dispatched),
            self.projected.as_secs_f64(),
            self.projected.saturating_sub(self.dispatched).as_secs_f64(),
            per_sec(self.projected),
            self.kept_up(),
            self.rebuilt_per_sec(),
            self.database_bytes as f64 / self.deliveries as f64,
            self.log_bytes as f64 / self.deliveries as f64,
        )
    }
}

pub(super) async fn measure(kind: Kind, directory: &Path, deliveries: u64) -> anyhow::Result<Speed> {
    let (first, second) = (
        kind.database(directory, "beside").await?,
        kind.database(directory, "again").await?,
    );
    let mut stage = Stage::start(Setting {
        name: "history",
        lanes: FEW_LANES,
        settings: &[("history.url", first.clone())],
        support: &["api", "fanout", "scheduler"],
    })
    .await?;
    let mut receiver = Receiver::start(1).await?;
    // Requests enough at a time that no delivery is held for so long that the lane sets it aside for the scheduler.
    let wide = |endpoint: &mut schemas::Endpoint| endpoint.max_in_flight = Some(MAX_IN_FLIGHT);
    let party = stage
        .party("one", &receiver.url(0), Placement::Lanes, SHARD, wide)
        .await?;
    stage.publish(&party, 0, deliveries).await?;
    stage.until_written(&party, deliveries).await?;
    receiver.begin(vec![party.secret.clone()]).await?;

    // Joined before, so that both begin with work.
    let mut history = stage.installation.serve("history", &["history"]).await?;
    let store = Store::new(&first)?;
    let matched = async || Ok(counted(&store, &party).await?.0 == deliveries);
    until("what was matched is projected", matched).await?;
    let began = Instant::now();
    let mut dispatcher = stage.installation.start_process("dispatcher", &["dispatcher"], &[])?;
    dispatcher.ready().await?;
    let (mut dispatched, mut projected) = (None, None);
    while dispatched.is_none() || projected.is_none() {
        if dispatched.is_none() && receiver.count().await? >= deliveries {
            dispatched = Some(began.elapsed());
        }
        if projected.is_none() && counted(&store, &party).await?.1 == deliveries {
            projected = Some(began.elapsed());
        }
        if began.elapsed() > PATIENCE {
            bail!("not all of it was delivered and projected within {PATIENCE:?}");
        }
        tokio::time::sleep(POLL).await;
    }
    dispatcher.terminate().await?;
    history.terminate().await?;

    stage.installation.set("history.url", &second);
    let again = Store::new(&second)?;
    let began = Instant::now();
    let mut history = stage.installation.serve("again", &["history"]).await?;
    until("it is projected again", async || {
        Ok(counted(&again, &party).await?.1 == deliveries)
    })
    .await?;
    let rebuilt = began.elapsed();
    history.terminate().await?;
    let database_bytes = again.size_bytes().await?;
    let log_bytes = log_bytes(&stage).await?;
    stage.end().await?;
    Ok(Speed {
        deliveries,
        dispatched: dispatched.context("it was measured")?,
        projected: projected.context("it was measured")?,
        rebuilt,
        database_bytes,
        log_bytes,
    })
}

/// Of keys and values in the topic `log`, before they are compressed.
async fn log_bytes(stage: &Stage) -> anyhow::Result<usize> {
    let (connection, names) = (stage.installation.connection(), stage.installation.names());
    let records = read_to_end(&connection, &names.log()).await?;
    let bytes = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
    Ok(records
        .iter()
        .map(|record| bytes(&record.key) + bytes(&record.value))
        .sum())
}

/// How many deliveries of the party the database has, and how many of them are delivered. None before it has tables.
async fn counted(store: &Store, party: &Party) -> anyhow::Result<(u64, u64)> {
    if store.check().await.is_err() {
        return Ok((0, 0));
    }
    let counters = store.counters(&[&party.endpoint_id]).await?.remove(&party.endpoint_id);
    let counters = counters.unwrap_or_default();
    let all = counters.pending + counters.failed + counters.delivered;
    Ok((u64::try_from(all)?, u64::try_from(counters.delivered)?))
}

pub(super) async fn until(what: &str, is_so: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await? {
        if Instant::now() > deadline {
            bail!("{what}: not within {PATIENCE:?}");
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
