//! The replay of an endpoint as a job: deliveries that died while it was disabled.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use harness::ALL_SCOPES;
use history_store::Store;
use serde_json::Value;

use super::{Kind, speed::until};
use crate::product::MAX_IN_FLIGHT;
use crate::receiver::Receiver;
use crate::stage::{FEW_LANES, Placement, Setting, Stage};

const SHARD: i32 = 3;

pub(super) struct Replayed {
    deliveries: u64,
    job: Duration,
    arrived: Duration,
}

impl Replayed {
    pub(super) fn per_sec(&self) -> f64 {
        self.deliveries as f64 / self.job.as_secs_f64()
    }

    pub(super) fn text(&self) -> String {
        format!(
            "Replay of {} dead deliveries as a job: it had ended after {:.1} s (**{:.0}/s**), and all of them had arrived after {:.1} s.\n",
            self.deliveries,
            self.job.as_secs_f64(),
            self.per_sec(),
            self.arrived.as_secs_f64()
        )
    }
}

pub(super) async fn measure(kind: Kind, directory: &Path, deliveries: u64) -> anyhow::Result<Replayed> {
    let url = kind.database(directory, "replay").await?;
    let stage = Stage::start(Setting {
        name: "replay",
        lanes: FEW_LANES,
        settings: &[("history.url", url.clone())],
        support: &["api", "fanout", "scheduler", "history"],
    })
    .await?;
    let mut receiver = Receiver::start(1).await?;
    // What matches goes straight to the dead letters.
    let disable = |endpoint: &mut schemas::Endpoint| {
        endpoint.status = "auto_disabled".into();
        endpoint.max_in_flight = Some(MAX_IN_FLIGHT);
    };
    let party = stage
        .party("one", &receiver.url(0), Placement::Lanes, SHARD, disable)
        .await?;
    stage.publish(&party, 0, deliveries).await?;
    let store = Store::new(&url)?;
    let failed = async || {
        let counters = store.counters(&[&party.endpoint_id]).await?.remove(&party.endpoint_id);
        Ok(counters.is_some_and(|counters| counters.failed == deliveries.cast_signed()))
    };
    until("all are dead in the history", failed).await?;
    stage
        .direct
        .change(&party.endpoint_id, |endpoint| endpoint.status = "active".into())
        .await?;
    let mut dispatcher = stage.installation.serve("dispatcher", &["dispatcher"]).await?;
    receiver.begin(vec![party.secret.clone()]).await?;

    let key = stage.direct.key(&party.tenant, &ALL_SCOPES).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let api = format!("{}/webhooks/v1", stage.api_url());
    let began = Instant::now();
    let asked = http
        .post(format!("{api}/endpoints/{}/replay", party.endpoint_id))
        .bearer_auth(&key);
    let answer = asked.send().await?;
    ensure!(answer.status() == 202, "the job was answered with {}", answer.status());
    let made: Value = serde_json::from_slice(&answer.bytes().await?)?;
    let id = made["job"]["id"].as_str().context("a job has an id")?.to_owned();
    let mut ended = Value::Null;
    while ended["status"] != "done" {
        let asked = http.get(format!("{api}/jobs/{id}")).bearer_auth(&key).send().await?;
        ended = serde_json::from_slice::<Value>(&asked.bytes().await?)?["job"].take();
        ensure!(ended["status"] == "running" || ended["status"] == "done", "{ended}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let job = began.elapsed();
    ensure!(ended["done"].as_u64() == Some(deliveries), "{ended}");
    while receiver.count().await? < deliveries {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let arrived = began.elapsed();
    dispatcher.terminate().await?;
    stage.end().await?;
    Ok(Replayed {
        deliveries,
        job,
        arrived,
    })
}
