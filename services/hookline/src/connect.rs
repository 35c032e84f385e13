//! From the configuration to Kafka: the connection, topics' settings, and the ledger for commands that work directly
//! on it.

use crate::config::{self, Config, Loaded};
use anyhow::Context as _;
use kafka_log::{Connection, topics::TopicSettings};
use ledger::{Keyring, Ledger, Writer};
use std::path::Path;
use std::time::{Duration, Instant};

/// The merged configuration of the file, if any, and this process's environment, with these keys set at least.
pub fn load(file: Option<&Path>, required: &[&str]) -> anyhow::Result<Loaded> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
    Ok(config::load(file, environment, required)?)
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

/// The history's database, for whoever of these roles runs in this process. A file is one process's: an API without the
/// role history beside it has none.
///
/// # Errors
/// When `history.url` can't be read.
pub fn history(config: &Config, api: bool, history: bool) -> anyhow::Result<Option<history_store::Store>> {
    let url = config.history.url.reveal();
    let is_wanted = history || (api && history_store::Store::is_shared(url)?);
    if history && !api && !history_store::Store::is_shared(url)? {
        tracing::warn!("history.url is a file, and no API runs in this process: nobody can read it");
    }
    Ok(if is_wanted {
        Some(history_store::Store::new(url)?)
    } else {
        None
    })
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

/// How long a command goes on trying what brokers refuse for a moment: just after topics were made, or while a leader moves.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);

/// Tries again, for a while, what may pass without anybody's help.
pub async fn patiently<T>(mut ask: impl AsyncFnMut() -> Result<T, kafka_log::Error>) -> Result<T, kafka_log::Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Err(error) if error.may_pass() && Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            result => return result,
        }
    }
}

/// The view of the ledger, read to its end; sealed secrets are kept in it when they are needed.
pub async fn ledger(connection: &Connection, with_secrets: bool) -> anyhow::Result<Ledger> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let started = if with_secrets {
            Ledger::start(connection).await
        } else {
            Ledger::start_without_secrets(connection).await
        };
        match started {
            Err(error) if error.is_retryable() && Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            result => return result.context("can't read the ledger"),
        }
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
        let ledger = ledger(&connection, true).await?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Writer::start(&connection, &ledger).await {
                Err(error) if error.is_retryable() && Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                result => {
                    let writer = result.context("can't ask for changes of the ledger")?;
                    return Ok(Self { ledger, writer });
                }
            }
        }
    }
}
