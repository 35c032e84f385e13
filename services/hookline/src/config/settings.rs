//! The configuration as the commands use it: typed, merged, checked. One struct a section; units are in the names.

use super::Secret;
use super::sources::Source;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

/// Everything that this version obeys.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    pub kafka: Kafka,
    /// As configured; see `Config::sources` for what is read.
    #[serde(default, rename = "sources")]
    pub configured_sources: Vec<Source>,
    pub secrets: Secrets,
    pub api: Api,
    pub admin: Admin,
    pub fanout: Fanout,
    pub dlq: Dlq,
    pub placement: Placement,
    pub dispatcher: Dispatcher,
    pub delivery: Delivery,
    pub circuit: Circuit,
    pub auto_disable: AutoDisable,
    pub egress: Egress,
    pub history: History,
    #[serde(default)]
    pub otel: Otel,
    pub log: Log,
}

impl Config {
    /// Where events are read from besides `ingest`.
    pub fn sources(&self) -> Vec<Source> {
        if self.configured_sources.is_empty() {
            let names = kafka_log::Names::new(&self.kafka.prefix);
            return vec![Source::default_of(names.events())];
        }
        self.configured_sources.clone()
    }
}

#[derive(Clone, Deserialize)]
pub struct Kafka {
    pub brokers: String,
    pub prefix: String,
    pub replication_factor: Option<i32>,
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    pub lanes: i32,
    pub instance_id: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Secrets {
    pub key: Option<Secret>,
    pub previous_keys: Vec<Secret>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Api {
    pub listen: SocketAddr,
    pub operator_key: Option<Secret>,
    pub rate_per_sec: NonZeroU32,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Admin {
    pub listen: SocketAddr,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Fanout {
    pub clock_tolerance_sec: u32,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Dlq {
    pub retention_days: u32,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Placement {
    pub dedicated_limit: usize,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Dispatcher {
    pub max_in_flight: usize,
    pub max_buffered_bytes: usize,
    pub drain_sec: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Delivery {
    pub timeout_sec: u64,
    pub retry_schedule_sec: Vec<i64>,
    pub max_in_flight: usize,
    pub rate_per_sec: Option<f64>,
    pub max_age_sec: u64,
    pub max_payload_bytes: usize,
    pub header_prefix: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Circuit {
    pub failures: i64,
    pub min_sec: i64,
    pub probe_sec: Vec<i64>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct AutoDisable {
    pub failures: i64,
    pub without_success_sec: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Egress {
    pub allow_networks: Vec<String>,
    pub allow_http: bool,
    #[serde(default, deserialize_with = "proxy")]
    pub proxy: Option<egress::Proxy>,
    pub ca_file: Option<PathBuf>,
    pub client_cert_file: Option<PathBuf>,
    pub client_key_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct History {
    pub url: Secret,
    pub retention_days: u32,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Otel {
    pub endpoint: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Log {
    pub format: Option<String>,
    pub level: String,
}

fn proxy<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<egress::Proxy>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

impl std::fmt::Debug for Kafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let properties: BTreeMap<_, _> = self
            .properties
            .iter()
            .map(|(name, value)| (name, kafka_log::redact(name, value)))
            .collect();
        f.debug_struct("Kafka")
            .field("brokers", &self.brokers)
            .field("prefix", &self.prefix)
            .field("replication_factor", &self.replication_factor)
            .field("properties", &properties)
            .field("lanes", &self.lanes)
            .field("instance_id", &self.instance_id)
            .finish()
    }
}
