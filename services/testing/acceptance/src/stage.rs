//! One installation as a test uses it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use harness::logbook::Outcome;
use harness::publish::Told;
use harness::{Direct, Hook, Installation, Options, Process, Receiver, until};
use kafka_log::{Outgoing, Producer};
use schemas::Endpoint;
use serde_json::{Value, json};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

/// The type of all events that [`Stage::publish`] sends.
pub const TYPE: &str = "vault.ingest.started";

/// For conditions: far beyond what a busy machine takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// An endpoint with its receiver.
#[derive(Clone)]
pub struct Door {
    pub id: String,
    /// `whsec_…`
    pub secret: String,
    pub hook: Hook,
}

/// An installation with a running clerk, and one tenant.
pub struct Stage {
    pub installation: Installation,
    pub api: Process,
    pub direct: Direct,
    pub tenant: String,
    pub receiver: Receiver,
    producer: Producer,
    published: AtomicUsize,
}

impl Stage {
    /// Makes the topics, starts `serve api`, and makes the tenant.
    pub async fn set(options: Options) -> anyhow::Result<Self> {
        Self::set_with(options, &["api"]).await
    }

    /// The same with these roles beside one another in the process that has the API.
    pub async fn set_with(options: Options, roles: &[&str]) -> anyhow::Result<Self> {
        let installation = Installation::start(options).await?;
        let api = installation.serve("api", roles).await?;
        let direct = installation.direct().await?;
        let tenant = direct.tenant("Acme", &["platform"], |_| ()).await?;
        Ok(Self {
            producer: Producer::new(&installation.connection())?,
            receiver: Receiver::start().await?,
            published: AtomicUsize::new(0),
            installation,
            api,
            direct,
            tenant,
        })
    }

    /// An endpoint for every event, at a path of this name, whose signatures are verified.
    pub async fn door(&self, name: &str, customize: impl FnOnce(&mut Endpoint)) -> anyhow::Result<Door> {
        self.door_at(self.receiver.hook(name), customize).await
    }

    /// The same behind another receiver.
    pub async fn door_at(&self, hook: Hook, customize: impl FnOnce(&mut Endpoint)) -> anyhow::Result<Door> {
        let made = self
            .direct
            .endpoint(&self.tenant, hook.url(), &["*"], customize)
            .await?;
        hook.expect_signatures("webhook-", std::slice::from_ref(&made.secret))?;
        Ok(Door {
            id: made.id,
            secret: made.secret,
            hook,
        })
    }

    /// Publishes events of this tenant and waits for Kafka's acknowledgements. Their ids.
    pub async fn publish(&self, count: usize) -> anyhow::Result<Vec<String>> {
        self.publish_for(&self.tenant, count).await
    }

    /// The same for another tenant.
    pub async fn publish_for(&self, tenant: &str, count: usize) -> anyhow::Result<Vec<String>> {
        let (mut ids, mut records) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let id = self.next_id();
            let data = json!({ "vaultId": "vault_1", "objectId": id });
            records.push(self.record(&id, TYPE, tenant, &data));
            ids.push(id);
        }
        self.producer.write_all(&records).await?;
        Ok(ids)
    }

    /// Publishes one event of any type of this tenant, and waits for Kafka's acknowledgement. Its id.
    pub async fn publish_one(&self, event_type: &str, data: &Value) -> anyhow::Result<String> {
        let id = self.next_id();
        let record = self.record(&id, event_type, &self.tenant, data);
        self.producer.write_all(&[record]).await?;
        Ok(id)
    }

    fn next_id(&self) -> String {
        format!("evt-{:05}", self.published.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, id: &str, event_type: &str, tenant: &str, data: &Value) -> Outgoing {
        let topic = self.installation.names().events();
        let mut record = Told::new(id, event_type, tenant, data).hookline_json(&topic);
        // Over all partitions.
        record.key = Some(id.as_bytes().to_vec());
        record
    }

    /// Publishes `portion` events `every` so often, until `stop`. Their ids.
    pub async fn publish_until(
        &self,
        stop: &CancellationToken,
        portion: usize,
        every: Duration,
    ) -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::new();
        let mut portions = interval(every);
        while stop.run_until_cancelled(portions.tick()).await.is_some() {
            ids.extend(self.publish(portion).await?);
        }
        Ok(ids)
    }

    /// Waits until each of these events has come to each of these endpoints with a verified 2xx.
    pub async fn arrive(&self, ids: &[String], doors: &[&Door]) -> anyhow::Result<()> {
        until("events arrive", PATIENCE, async || {
            for door in doors {
                let missing: Vec<_> = ids.iter().filter(|id| !door.hook.has_delivered(id)).collect();
                if let Some(first) = missing.first() {
                    return Err(format!(
                        "{} has not had {} of them, such as {first}",
                        door.id,
                        missing.len()
                    ));
                }
            }
            Ok(())
        })
        .await
    }

    /// Waits until the log resolves this many deliveries to `outcome`, and the rest to something else than pending;
    /// fails when that are not all.
    pub async fn resolved(&self, outcome: Outcome, count: usize) -> anyhow::Result<()> {
        let what = format!("the log resolves all to {outcome:?}");
        until(&what, PATIENCE, async || {
            let logbook = self
                .installation
                .logbook()
                .await
                .map_err(|error| format!("{error:#}"))?;
            match logbook.count(outcome) {
                resolved if resolved == count => Ok(()),
                resolved => Err(format!(
                    "{resolved} of {count} ({} in the log)",
                    logbook.deliveries.len()
                )),
            }
        })
        .await?;
        let known = self.installation.logbook().await?.deliveries.len();
        ensure!(known == count, "the log has {known} deliveries instead of {count}");
        Ok(())
    }

    /// Waits until the log resolves one delivery so.
    pub async fn fate(&self, event: &str, endpoint: &str, outcome: Outcome) -> anyhow::Result<()> {
        until(
            &format!("{event} for {endpoint} is {outcome:?}"),
            PATIENCE,
            async || {
                let logbook = self
                    .installation
                    .logbook()
                    .await
                    .map_err(|error| format!("{error:#}"))?;
                match logbook.by_pair().get(&(event, endpoint)).map(|fate| fate.outcome()) {
                    Some(found) if found == outcome => Ok(()),
                    found => Err(format!("it is {found:?}")),
                }
            },
        )
        .await
    }

    /// Requests that came again after a verified 2xx, and badly signed ones, of all endpoints.
    pub fn flaws(&self, doors: &[&Door]) -> (usize, usize) {
        let tallies = doors.iter().map(|door| door.hook.tally());
        tallies.fold((0, 0), |(again, bad), tally| {
            (again + tally.duplicates, bad + tally.bad_signatures)
        })
    }

    /// Ends everything in order, and takes the topics away.
    pub async fn strike(mut self, processes: Vec<Process>) -> anyhow::Result<()> {
        for mut process in processes {
            process.terminate().await?;
        }
        self.api.terminate().await?;
        self.installation
            .delete_topics()
            .await
            .context("cannot take the topics away")
    }
}
