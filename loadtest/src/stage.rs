//! What scenarios play on: an installation, tenants with one endpoint each in a shard that is chosen, and events for them.
//! What is measured is the scenario's business.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use harness::{ALL_SCOPES, Direct, Installation, Process, publish};
use kafka_log::{Producer, Watermarks};
use ledger::{Entity, entities};
use runtime::clock::now_ms;
use schemas::Endpoint;
use signing::SigningSecret;

use crate::body;

/// Where how many there are is not what is measured.
pub(crate) const FEW_LANES: u16 = 8;
const TIMEOUT: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(50);

/// Where deliveries of an endpoint wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Placement {
    /// In a topic of the endpoint's own
    Dedicated,
    /// In the topic that endpoints share
    Lanes,
}

impl Placement {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dedicated => "dedicated",
            Self::Lanes => "lanes",
        }
    }

    /// As the ledger has it.
    fn in_ledger(self) -> &'static str {
        match self {
            Self::Dedicated => "dedicated",
            Self::Lanes => "shared",
        }
    }
}

/// An installation with processes of its roles but the dispatcher.
pub(crate) struct Stage {
    pub(crate) installation: Installation,
    pub(crate) direct: Direct,
    pub(crate) producer: Producer,
    watermarks: Watermarks,
    support: Process,
    source_partitions: i32,
    lanes: u16,
}

/// How a stage is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) name: &'a str,
    pub(crate) lanes: u16,
    /// Of the configuration, for all processes.
    pub(crate) settings: &'a [(&'a str, String)],
    /// Roles that one process runs from the beginning on.
    pub(crate) support: &'a [&'a str],
}

/// A tenant with one endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Party {
    pub(crate) tenant: String,
    pub(crate) endpoint_id: String,
    /// `whsec_…`
    pub(crate) secret: String,
    /// Topic and partition that its deliveries go to.
    home: (String, i32),
}

impl Stage {
    pub(crate) async fn start(setting: Setting<'_>) -> anyhow::Result<Self> {
        let Setting {
            name,
            lanes,
            settings,
            support,
        } = setting;
        let mut options = harness::Options::new(name);
        options.lanes = lanes;
        for (key, value) in settings {
            options = options.set(key, value);
        }
        let installation = Installation::start(options).await?;
        let support = installation.serve("support", support).await?;
        let connection = installation.connection();
        let watermarks = Watermarks::new(&connection)?;
        Ok(Self {
            direct: installation.direct().await?,
            producer: Producer::new(&connection)?,
            source_partitions: watermarks.partitions(&installation.names().events()).await?,
            watermarks,
            support,
            installation,
            lanes,
        })
    }

    /// A new tenant whose endpoint belongs to this shard.
    pub(crate) async fn party(
        &self,
        name: &str,
        url: &str,
        placement: Placement,
        shard: i32,
        customize: impl FnOnce(&mut Endpoint),
    ) -> anyhow::Result<Party> {
        let tenant = self.direct.tenant(name, &["platform"], |_| {}).await?;
        let mut endpoint = loop {
            let filters = vec![body::EVENT_TYPE.to_owned()];
            let made = entities::new_endpoint(&tenant, url, filters, now_ms());
            if self.shard_of(&made.id) == shard {
                break made;
            }
        };
        endpoint.required_scopes = ALL_SCOPES.map(str::to_owned).to_vec();
        endpoint.placement = placement.in_ledger().to_owned();
        let secret = SigningSecret::generate().expose();
        ledger::seal_signing_secret(&mut endpoint, &self.installation.keyring(), &secret);
        customize(&mut endpoint);
        let endpoint_id = endpoint.id.clone();
        self.direct.writer().put(Entity::from(endpoint), Some(0)).await?;
        let home = self.home(&endpoint_id)?;
        Ok(Party {
            tenant,
            endpoint_id,
            secret,
            home,
        })
    }

    fn shard_of(&self, endpoint_id: &str) -> i32 {
        delivery_core::murmur2::partition(endpoint_id.as_bytes(), i32::from(self.lanes))
    }

    /// Topic and partition that an endpoint's deliveries go to.
    pub(crate) fn home(&self, endpoint_id: &str) -> anyhow::Result<(String, i32)> {
        let view = self.direct.ledger().view();
        let made = view
            .endpoint(endpoint_id)
            .context("an endpoint that was made is in the view")?;
        let names = self.installation.names();
        Ok(match made.dedicated_topic {
            Some(topic) => (names.endpoint(endpoint_id, topic), 0),
            None => (names.lanes(), self.shard_of(endpoint_id)),
        })
    }

    /// Publishes this many events for a party, numbered from `first`, and waits for the brokers' word.
    pub(crate) async fn publish(&self, party: &Party, first: u64, events: u64) -> anyhow::Result<()> {
        let ids = (first..first + events).map(|number| (number, event_id(party, number)));
        self.publish_all(&party.tenant, ids).await
    }

    /// Publishes events with these numbers and ids, and waits for the brokers' word.
    pub(crate) async fn publish_all(
        &self,
        tenant: &str,
        events: impl Iterator<Item = (u64, String)>,
    ) -> anyhow::Result<()> {
        let mut acks = Vec::new();
        for (number, id) in events {
            acks.push(self.producer.send(&self.record(tenant, &id, number)?).await?);
        }
        for ack in acks {
            ack.await?;
        }
        Ok(())
    }

    /// Where the API of the roles that run from the beginning on is.
    pub(crate) fn api_url(&self) -> String {
        self.support.api_url()
    }

    /// One of a party's events as a producer would write it.
    pub(crate) fn event(&self, party: &Party, number: u64) -> anyhow::Result<kafka_log::Outgoing> {
        self.record(&party.tenant, &event_id(party, number), number)
    }

    fn record(&self, tenant: &str, id: &str, number: u64) -> anyhow::Result<kafka_log::Outgoing> {
        let value = body::published(id, tenant).into_bytes();
        let mut record = publish::plain(&self.installation.names().events(), id, value, Vec::new());
        record.partition = Some(i32::try_from(number % self.source_partitions.unsigned_abs() as u64)?);
        Ok(record)
    }

    /// Records ever written to where this party's deliveries go.
    pub(crate) async fn written(&self, party: &Party) -> anyhow::Result<u64> {
        self.written_to(&party.home).await
    }

    /// Records ever written to a partition: fan-out writes without transactions, so offsets count them.
    pub(crate) async fn written_to(&self, (topic, partition): &(String, i32)) -> anyhow::Result<u64> {
        Ok(self.watermarks.range(topic, *partition).await?.1.unsigned_abs())
    }

    /// Waits until so many were written.
    pub(crate) async fn until_written(&self, party: &Party, expected: u64) -> anyhow::Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let written = self.written(party).await?;
            if written >= expected {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{written} of {expected} deliveries were written\n{}",
                self.support.log_tail()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Ends its processes and deletes its topics.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        self.support.terminate().await?;
        drop((self.direct, self.producer, self.watermarks));
        self.installation.delete_topics().await
    }
}

/// Id of a party's event.
pub(crate) fn event_id(party: &Party, number: u64) -> String {
    format!("evt-{}-{number:08}", party.tenant)
}
