//! Settings of the dispatcher. Names and defaults mirror the configuration keys.

use delivery_core::health::{AutoDisable, CircuitSettings};
use std::time::Duration;

/// One value for each key that this role obeys.
#[derive(Debug, Clone)]
pub struct Options {
    /// `kafka.lanes`: partitions of the lanes topic.
    pub lanes: i32,
    /// `kafka.instance_id`
    pub instance_id: Option<String>,
    /// `dispatcher.max_in_flight`: requests started, or finished and not yet committed, in this process.
    pub max_in_flight: usize,
    /// `dispatcher.max_buffered_bytes`: deliveries in memory in this process.
    pub max_buffered_bytes: usize,
    /// `dispatcher.drain_sec`: how long SIGTERM lets requests finish.
    pub drain: Duration,
    /// Longest that a delivery from the lanes or `returns` waits in memory before it is deferred.
    pub hold_max: Duration,
    /// How often what is done is deleted from the topics that keep everything until then.
    pub truncate_every: Duration,
    /// `delivery.timeout_sec`
    pub timeout: Duration,
    /// `delivery.retry_schedule_sec`
    pub retry_schedule_sec: Vec<i64>,
    /// `delivery.max_in_flight`: of an endpoint that doesn't say otherwise.
    pub endpoint_max_in_flight: usize,
    /// `delivery.rate_per_sec`: of an endpoint that doesn't say otherwise.
    pub rate_per_sec: Option<f64>,
    /// `delivery.max_age_sec`
    pub max_age: Duration,
    /// `delivery.header_prefix`
    pub header_prefix: String,
    /// `circuit.*`
    pub circuit: CircuitSettings,
    /// `auto_disable.*`
    pub auto_disable: AutoDisable,
    /// `egress.*`
    pub egress: egress::Options,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lanes: 64,
            instance_id: None,
            max_in_flight: 4096,
            max_buffered_bytes: 256 << 20,
            drain: Duration::from_secs(20),
            hold_max: Duration::from_secs(30),
            truncate_every: Duration::from_secs(60),
            timeout: Duration::from_secs(15),
            retry_schedule_sec: vec![5, 60, 300, 1800, 7200, 18000, 36000, 36000],
            endpoint_max_in_flight: 32,
            rate_per_sec: None,
            max_age: Duration::from_secs(604_800),
            header_prefix: "webhook-".into(),
            circuit: CircuitSettings::default(),
            auto_disable: AutoDisable::default(),
            egress: egress::Options::default(),
        }
    }
}
