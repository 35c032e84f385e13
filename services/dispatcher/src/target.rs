//! An endpoint as the dispatcher needs it: parsed, decrypted, with every default filled in.

use crate::Options;
use delivery_core::{outcome::Dialect, reserved_headers::is_reserved};
use http::{HeaderMap, HeaderName, HeaderValue};
use ledger::{Keyring, View};
use schemas::Endpoint;
use signing::SigningSecret;
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
    pub(crate) url: String,
    /// The endpoint's own headers; none that is Hookline's or the connection's.
    pub(crate) headers: HeaderMap,
    pub(crate) names: HeaderNames,
    secret: Option<SigningSecret>,
    previous: Option<(SigningSecret, i64)>,
    pub(crate) max_in_flight: usize,
    pub(crate) rate: Option<Rate>,
    pub(crate) timeout: Duration,
    pub(crate) retry_schedule_sec: Arc<[i64]>,
    pub(crate) dialect: Dialect,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    pub(crate) burst: NonZeroU32,
}

/// Names of the headers of a delivery, under the tenant's prefix.
pub(crate) struct HeaderNames {
    pub(crate) id: HeaderName,
    pub(crate) event_id: HeaderName,
    pub(crate) timestamp: HeaderName,
    pub(crate) signature: HeaderName,
    pub(crate) attempt: HeaderName,
    pub(crate) replay: HeaderName,
}

/// Makes targets of ledger entities.
pub(crate) struct Targets {
    keyring: Keyring,
    defaults: Options,
}

impl Targets {
    pub(crate) fn new(keyring: Keyring, defaults: &Options) -> Self {
        Self {
            keyring,
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
        let names = HeaderNames::new(prefix);
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
        let previous = endpoint
            .previous_signing_secret
            .as_ref()
            .zip(endpoint.previous_signing_secret_expires_at_ms);
        Target {
            id: endpoint.id.as_str().into(),
            tenant: endpoint.tenant.as_str().into(),
            version,
            changed_at_ms: endpoint.updated_at_ms,
            status,
            dedicated_topic: endpoint.dedicated_topic,
            url: endpoint.url.clone(),
            headers: self.own_headers(endpoint, prefix),
            names,
            secret: self.secret(endpoint, &endpoint.signing_secret, "signing_secret"),
            previous: previous.and_then(|(sealed, expires_at_ms)| {
                Some((self.secret(endpoint, sealed, "previous_signing_secret")?, expires_at_ms))
            }),
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
        }
    }

    fn secret(&self, endpoint: &Endpoint, sealed: &[u8], field: &str) -> Option<SigningSecret> {
        if endpoint.status == "deleted" {
            return None;
        }
        let opened = self.open(endpoint, sealed, field)?;
        match SigningSecret::parse(&opened) {
            Ok(secret) => Some(secret),
            Err(error) => {
                tracing::error!(endpoint = %endpoint.id, field, %error, "a signing secret is unusable");
                None
            }
        }
    }

    fn open(&self, endpoint: &Endpoint, sealed: &[u8], field: &str) -> Option<String> {
        match self.keyring.open(sealed, &endpoint.tenant, &endpoint.id, field) {
            Ok(opened) => String::from_utf8(opened).ok(),
            Err(error) => {
                tracing::error!(
                    endpoint = %endpoint.id, field, %error,
                    "a secret can't be decrypted; check secrets.key and secrets.previous_keys"
                );
                None
            }
        }
    }

    fn own_headers(&self, endpoint: &Endpoint, prefix: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if endpoint.status == "deleted" {
            return headers;
        }
        for (name, sealed) in &endpoint.headers {
            let field = format!("header:{}", name.to_ascii_lowercase());
            let Some(value) = self.open(endpoint, sealed, &field) else {
                continue;
            };
            if let (Ok(name), Ok(mut value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value))
                && !is_reserved(name.as_str(), prefix)
            {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        headers
    }
}

impl Target {
    /// Whether it has a usable secret: without one nothing is ever sent.
    pub(crate) fn can_sign(&self) -> bool {
        self.secret.is_some()
    }

    /// Secrets to sign with at this time, the current one first. None: nothing can be signed, so nothing may be sent.
    pub(crate) fn secrets(&self, now_ms: i64) -> Option<Vec<&SigningSecret>> {
        let mut secrets = vec![self.secret.as_ref()?];
        if let Some((previous, expires_at_ms)) = &self.previous
            && now_ms < *expires_at_ms
        {
            secrets.push(previous);
        }
        Some(secrets)
    }
}

impl HeaderNames {
    /// A prefix that makes no header name falls back to the standard one; the configuration refuses it earlier.
    fn new(prefix: &str) -> Self {
        let name = |suffix: &'static str, standard: &'static str| {
            HeaderName::from_bytes(format!("{prefix}{suffix}").as_bytes()).unwrap_or(HeaderName::from_static(standard))
        };
        Self {
            id: name("id", "webhook-id"),
            event_id: name("event-id", "webhook-event-id"),
            timestamp: name("timestamp", "webhook-timestamp"),
            signature: name("signature", "webhook-signature"),
            attempt: name("attempt", "webhook-attempt"),
            replay: name("replay", "webhook-replay"),
        }
    }
}
