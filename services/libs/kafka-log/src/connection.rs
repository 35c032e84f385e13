//! How to reach one Kafka installation: brokers, prefix, and properties passed through to librdkafka.

use crate::{Error, Names};
use rdkafka::{
    ClientConfig,
    config::FromClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use std::{collections::BTreeMap, time::Duration};

/// Settings shared by every client of a process. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    brokers: String,
    properties: BTreeMap<String, String>,
    names: Names,
}

impl Connection {
    /// `properties` are librdkafka's own keys (TLS, SASL, tuning); they win over Hookline's where both name a key,
    /// except for what correctness rests on.
    pub fn new(brokers: impl Into<String>, prefix: impl Into<String>, properties: BTreeMap<String, String>) -> Self {
        Self {
            brokers: brokers.into(),
            properties,
            names: Names::new(prefix),
        }
    }

    pub fn names(&self) -> &Names {
        &self.names
    }

    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// A client configuration: `defaults` may be overridden by the user's properties, `fixed` may not.
    pub(crate) fn client(&self, defaults: &[(&str, &str)], fixed: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("client.id", "hookline")
            .set("socket.keepalive.enable", "true");
        config.set("reconnect.backoff.max.ms", "1000");
        for (key, value) in defaults {
            config.set(*key, *value);
        }
        for (key, value) in &self.properties {
            config.set(key.as_str(), value.as_str());
        }
        config
            .set("bootstrap.servers", self.brokers.as_str())
            .set("allow.auto.create.topics", "false");
        for (key, value) in fixed {
            config.set(*key, *value);
        }
        config
    }

    /// The cluster's id, so that state of a mirrored cluster is never taken for this one's. Blocks; errors when no
    /// broker answers within `timeout`.
    pub fn cluster_id(&self, timeout: Duration) -> Result<String, Error> {
        let consumer =
            BaseConsumer::from_config(&self.client(&[], &[])).map_err(|e| Error::from_kafka(&e, "create a client"))?;
        consumer
            .client()
            .fetch_cluster_id(timeout)
            .ok_or_else(|| Error::Unreachable(format!("no answer from {} within {timeout:?}", self.brokers)))
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let properties: BTreeMap<_, _> = self.properties.iter().map(|(k, v)| (k, redact(k, v))).collect();
        f.debug_struct("Connection")
            .field("brokers", &self.brokers)
            .field("prefix", &self.names.prefix())
            .field("properties", &properties)
            .finish()
    }
}

/// The value of a librdkafka property as it may be shown: secrets are hidden.
pub fn redact<'a>(key: &str, value: &'a str) -> &'a str {
    let secret = ["password", "secret", ".key", "pem", "sasl.oauthbearer.config", "jaas"];
    if secret.iter().any(|s| key.contains(s)) {
        "[redacted]"
    } else {
        value
    }
}
