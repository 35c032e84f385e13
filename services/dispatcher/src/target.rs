//! An endpoint as the dispatcher needs it: parsed, decrypted, with every default filled in.

use crate::Options;
use delivery_core::outcome::Dialect;
use delivery_request::Head;
use egress::Destination;
use ledger::{Keyring, View};
use schemas::Endpoint;
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// What an endpoint's status means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Active,
    Paused,
    /// Also `auto_disabled`: both send what waits to the dead letters.
    Disabled,
    Deleted,
}

pub(crate) struct Target {
    pub(crate) id: Arc<str>,
    pub(crate) tenant: Arc<str>,
    /// Version of the endpoint in the ledger.
    pub(crate) version: i64,
    pub(crate) changed_at_ms: i64,
    pub(crate) status: Status,
    /// Number of its dedicated topic; None: in the lanes.
    pub(crate) dedicated_topic: Option<i64>,
    pub(crate) destination: Destination,
    pub(crate) head: Head,
    pub(crate) max_in_flight: usize,
    pub(crate) rate: Option<Rate>,
    pub(crate) timeout: Duration,
    pub(crate) retry_schedule_sec: Arc<[i64]>,
    pub(crate) dialect: Dialect,
    pub(crate) disable_on_gone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    pub(crate) burst: NonZeroU32,
}

/// Makes targets of ledger entities.
pub(crate) struct Targets {
    keyring: Keyring,
    client: egress::Client,
    defaults: Options,
}

impl Targets {
    pub(crate) fn new(keyring: Keyring, client: egress::Client, defaults: &Options) -> Self {
        Self {
            keyring,
            client,
            defaults: defaults.clone(),
        }
    }

    /// The endpoint with this id, or None when the ledger has none.
    pub(crate) fn find(&self, view: &View, endpoint_id: &str) -> Option<Target> {
        let endpoint = view.endpoint(endpoint_id)?;
        let prefix = view
            .tenant(&endpoint.tenant)
            .and_then(|tenant| tenant.header_prefix.clone())
            .unwrap_or_else(|| self.defaults.header_prefix.clone());
        Some(self.target(endpoint, endpoint.version, &prefix))
    }

    fn target(&self, endpoint: &Endpoint, version: i64, prefix: &str) -> Target {
        let status = match endpoint.status.as_str() {
            "active" => Status::Active,
            "paused" => Status::Paused,
            "deleted" => Status::Deleted,
            _ => Status::Disabled,
        };
        let defaults = &self.defaults;
        let own_rate = endpoint.rate_limit.map(|limit| (limit.per_second, limit.burst));
        let rate = own_rate
            .or_else(|| defaults.rate_per_sec.map(|per_second| (per_second, 1)))
            .map(|(rate, burst)| {
                let burst = NonZeroU32::new(u32::try_from(burst).unwrap_or(1)).unwrap_or(NonZeroU32::MIN);
                Rate {
                    per_second: rate,
                    burst,
                }
            });
        let seconds = |sec: i32| Duration::from_secs(u64::try_from(sec).unwrap_or(1));
        Target {
            id: endpoint.id.as_str().into(),
            tenant: endpoint.tenant.as_str().into(),
            version,
            changed_at_ms: endpoint.updated_at_ms,
            status,
            dedicated_topic: endpoint.dedicated_topic,
            destination: self.client.destination(&endpoint.url),
            head: Head::new(endpoint, prefix, &self.keyring),
            max_in_flight: endpoint
                .max_in_flight
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(defaults.endpoint_max_in_flight)
                .max(1),
            rate,
            timeout: endpoint.timeout_sec.map_or(defaults.timeout, seconds),
            retry_schedule_sec: endpoint
                .retry_schedule_sec
                .as_deref()
                .unwrap_or(&defaults.retry_schedule_sec)
                .into(),
            dialect: Dialect::parse(&endpoint.dialect).unwrap_or(Dialect::Standard),
            disable_on_gone: endpoint.disable_on_gone,
        }
    }
}

impl Target {
    /// From when on it has all that its scheme signs with, Unix milliseconds; None: never. Before that nothing is sent.
    pub(crate) fn signs_from_ms(&self) -> Option<i64> {
        self.head.signs_from_ms()
    }

    /// Whether it has that at `now_ms`, and from then on.
    pub(crate) fn can_sign(&self, now_ms: i64) -> bool {
        self.signs_from_ms().is_some_and(|from_ms| from_ms <= now_ms)
    }
}
