//! From the configuration to Kafka: the connection, topics' settings, and the ledger for commands that work directly
//! on it.

use crate::config::{self, Config, Loaded};
use anyhow::Context as _;
use kafka_log::{Connection, topics::TopicSettings};
use ledger::{Keyring, Ledger, Writer};
use std::path::Path;

/// The merged configuration of the file, if any, and this process's environment.
pub fn load(file: Option<&Path>) -> anyhow::Result<Loaded> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
    Ok(config::load(file, environment)?)
}

/// The brokers, as the configuration says.
pub fn connection(config: &Config) -> Connection {
    Connection::new(
        &config.kafka.brokers,
        &config.kafka.prefix,
        config.kafka.properties.clone(),
    )
}

/// What topics are made with.
pub fn topic_settings(config: &Config) -> TopicSettings {
    TopicSettings {
        lanes: config.kafka.lanes,
        replication_factor: config.kafka.replication_factor,
        history_retention_days: config.history.retention_days,
        dlq_retention_days: config.dlq.retention_days,
        default_source: config.configured_sources.is_empty(),
    }
}

/// The keys that secrets are sealed with.
///
/// # Errors
/// Without `secrets.key`.
pub fn keyring(config: &Config) -> anyhow::Result<Keyring> {
    let key = config.secrets.key.as_ref().context(
        "secrets.key is not set: secrets can't be encrypted without it; make one with `hookline keygen` and set \
         HOOKLINE_SECRETS__KEY, or secrets.key_file in the configuration",
    )?;
    let previous: Vec<String> = config
        .secrets
        .previous_keys
        .iter()
        .map(|key| key.reveal().to_owned())
        .collect();
    Keyring::new(key.reveal(), &previous).context("secrets.key or secrets.previous_keys")
}

/// The policy that endpoints' URLs must pass.
pub fn egress_policy(config: &Config) -> egress::Policy {
    let read = |network: &String| {
        let one_address = || network.parse::<std::net::IpAddr>().map(egress::IpNet::from).ok();
        network.parse().ok().or_else(one_address)
    };
    egress::Policy {
        allow_networks: config.egress.allow_networks.iter().filter_map(read).collect(),
        allow_http: config.egress.allow_http,
    }
}

/// The ledger over Kafka, for `--direct`.
pub struct Direct {
    pub ledger: Ledger,
    pub writer: Writer,
}

impl Direct {
    /// Reads the ledger to its end.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let connection = connection(config);
        let ledger = Ledger::start(&connection).await.context("can't read the ledger")?;
        let writer = Writer::start(&connection, &ledger)
            .await
            .context("can't ask for changes of the ledger")?;
        Ok(Self { ledger, writer })
    }
}
