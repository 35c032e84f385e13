//! From configuration keys to the options of each role.

use crate::config::{Config, Source, SourceStart};
use crate::connect;
use anyhow::Context as _;
use control_api::Rate;
use delivery_core::health::{AutoDisable, CircuitSettings};
use fanout::StartAt;
use kafka_log::Names;
use ledger::{ClerkOptions, Keyring};
use std::time::Duration;

/// Beside the timeout of the requests themselves: to write down what came of them.
const DRAIN_BEYOND_TIMEOUT_SEC: u64 = 5;
const DAY_SEC: u64 = 86_400;
/// For writes and commits after a drain, before a process that can't reach its brokers ends all the same.
const BEYOND_DRAIN: Duration = Duration::from_secs(20);

fn clerk(config: &Config) -> ClerkOptions {
    let mut options = ClerkOptions::new(connect::topic_settings(config));
    options.dedicated_limit = config.placement.dedicated_limit;
    options.instance_id.clone_from(&config.kafka.instance_id);
    options
}

pub fn fanout(config: &Config) -> fanout::Options {
    fanout::Options {
        sources: config.sources().iter().map(source).collect(),
        clock_tolerance_sec: config.fanout.clock_tolerance_sec,
        max_payload_bytes: config.delivery.max_payload_bytes,
        lanes: config.kafka.lanes,
        instance_id: config.kafka.instance_id.clone(),
        ..fanout::Options::default()
    }
}

fn source(source: &Source) -> fanout::Source {
    fanout::Source {
        topic: source.topic.clone(),
        format: source.format(),
        tenant: source.tenant_from(),
        start: match source.start() {
            SourceStart::Earliest => StartAt::Earliest,
            SourceStart::Latest => StartAt::Latest,
            SourceStart::Time(unix_ms) => StartAt::Time(unix_ms),
        },
    }
}

/// How long SIGTERM lets requests finish.
fn drain(config: &Config) -> Duration {
    let by_timeout = config.delivery.timeout_sec + DRAIN_BEYOND_TIMEOUT_SEC;
    Duration::from_secs(config.dispatcher.drain_sec.unwrap_or(by_timeout))
}

/// After SIGTERM a process has ended by then: requests had their drain, and Kafka time to take what came of them.
pub fn stop_patience(config: &Config) -> Duration {
    drain(config) + BEYOND_DRAIN
}

pub fn dispatcher(config: &Config) -> dispatcher::Options {
    let delivery = &config.delivery;
    let mut options = dispatcher::Options {
        lanes: config.kafka.lanes,
        instance_id: config.kafka.instance_id.clone(),
        max_in_flight: config.dispatcher.max_in_flight,
        max_buffered_bytes: config.dispatcher.max_buffered_bytes,
        drain: drain(config),
        timeout: Duration::from_secs(delivery.timeout_sec),
        retry_schedule_sec: delivery.retry_schedule_sec.clone(),
        endpoint_max_in_flight: delivery.max_in_flight,
        rate_per_sec: delivery.rate_per_sec,
        max_age: Duration::from_secs(delivery.max_age_sec),
        header_prefix: delivery.header_prefix.clone(),
        circuit: CircuitSettings {
            failures: config.circuit.failures,
            min_ms: config.circuit.min_sec * 1000,
            probe_ms: config.circuit.probe_sec.iter().map(|sec| sec * 1000).collect(),
        },
        auto_disable: AutoDisable {
            failures: config.auto_disable.failures,
            without_success_ms: config.auto_disable.without_success_sec * 1000,
        },
        ..dispatcher::Options::default()
    };
    options.egress = egress(config);
    options
}

fn egress(config: &Config) -> egress::Options {
    let of = &config.egress;
    egress::Options {
        policy: connect::egress_policy(config),
        proxy: of.proxy.clone(),
        ca_file: of.ca_file.clone(),
        client_cert_file: of.client_cert_file.clone(),
        client_key_file: of.client_key_file.clone(),
        ..egress::Options::default()
    }
}

/// # Errors
/// Without `api.operator_key`.
pub fn api(
    config: &Config,
    keyring: Keyring,
    history: Option<history_store::Store>,
) -> anyhow::Result<control_api::Options> {
    let delivery = &config.delivery;
    let operator_key = config.api.operator_key.as_ref();
    Ok(control_api::Options {
        clerk: clerk(config),
        listen: config.api.listen,
        operator_key: operator_key
            .context("role api needs api.operator_key")?
            .reveal()
            .to_owned(),
        keyring,
        egress: egress(config),
        delivery: control_api::DeliveryDefaults {
            header_prefix: delivery.header_prefix.clone(),
            max_in_flight: i64::try_from(delivery.max_in_flight).unwrap_or(i64::MAX),
            timeout_sec: i64::try_from(delivery.timeout_sec).unwrap_or(i64::MAX),
            retry_schedule_sec: delivery.retry_schedule_sec.clone(),
            max_payload_bytes: delivery.max_payload_bytes,
            clock_tolerance_ms: i64::from(config.fanout.clock_tolerance_sec) * 1000,
        },
        rate: Rate::per_sec(config.api.rate_per_sec),
        history,
    })
}

pub fn history(config: &Config) -> history::Options {
    let mut options = history::Options::new(Duration::from_secs(u64::from(config.history.retention_days) * DAY_SEC));
    options.instance_id.clone_from(&config.kafka.instance_id);
    options
}

pub fn scheduler(config: &Config, names: &Names) -> scheduler::Options {
    let mut sources: Vec<_> = config.sources().into_iter().map(|source| source.topic).collect();
    sources.push(names.ingest());
    let mut options = scheduler::Options::new(config.kafka.lanes, sources);
    options.instance_id.clone_from(&config.kafka.instance_id);
    options
}
