//! An endpoint as the dispatcher needs it: parsed, decrypted, with every default filled in.

use crate::Options;
use delivery_core::{outcome::Dialect, reserved_headers::is_reserved};
use egress::Destination;
use http::{HeaderMap, HeaderName, HeaderValue};
use ledger::{Keyring, View};
use schemas::Endpoint;
use signing::{Scheme, SigningKey, SigningSecret};
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
    /// The endpoint's own headers; none that is Hookline's or the connection's.
    pub(crate) headers: HeaderMap,
    pub(crate) names: HeaderNames,
    scheme: Scheme,
    /// Empty when one that it needs can't be used.
    signers: Option<Signers>,
    previous: Option<(Signers, i64)>,
    pub(crate) max_in_flight: usize,
    pub(crate) rate: Option<Rate>,
    pub(crate) timeout: Duration,
    pub(crate) retry_schedule_sec: Arc<[i64]>,
    pub(crate) dialect: Dialect,
    pub(crate) disable_on_gone: bool,
}

/// What requests are signed with: as much as the endpoint's scheme asks for.
struct Signers {
    secret: SigningSecret,
    key: Option<SigningKey>,
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
        let scheme = endpoint.signature_scheme.parse().unwrap_or_else(|error| {
            tracing::error!(endpoint = %endpoint.id, %error, "taken as v1; upgrade this process");
            Scheme::V1
        });
        Target {
            id: endpoint.id.as_str().into(),
            tenant: endpoint.tenant.as_str().into(),
            version,
            changed_at_ms: endpoint.updated_at_ms,
            status,
            dedicated_topic: endpoint.dedicated_topic,
            destination: self.client.destination(&endpoint.url),
            headers: self.own_headers(endpoint, prefix),
            names,
            scheme,
            signers: self.current_signers(endpoint, scheme),
            previous: self.previous_signers(endpoint),
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

    /// None when something is missing that the scheme asks for.
    fn current_signers(&self, endpoint: &Endpoint, scheme: Scheme) -> Option<Signers> {
        let (secret, key) = (Some(&endpoint.signing_secret), endpoint.signing_key.as_ref());
        let signers = self.signers(endpoint, secret, key, ["signing_secret", "signing_key"])?;
        let complete = !scheme.has_v1a() || signers.key.is_some();
        complete.then_some(signers)
    }

    fn previous_signers(&self, endpoint: &Endpoint) -> Option<(Signers, i64)> {
        let expires_at_ms = endpoint.previous_signing_secret_expires_at_ms?;
        let secret = endpoint.previous_signing_secret.as_ref();
        let key = endpoint.previous_signing_key.as_ref();
        let fields = ["previous_signing_secret", "previous_signing_key"];
        Some((self.signers(endpoint, secret, key, fields)?, expires_at_ms))
    }

    fn signers(
        &self,
        endpoint: &Endpoint,
        secret: Option<&Vec<u8>>,
        key: Option<&Vec<u8>>,
        [secret_field, key_field]: [&str; 2],
    ) -> Option<Signers> {
        if endpoint.status == "deleted" {
            return None;
        }
        let secret = self.opened(endpoint, secret?, secret_field, SigningSecret::parse)?;
        let key = key.and_then(|sealed| self.opened(endpoint, sealed, key_field, SigningKey::parse));
        Some(Signers { secret, key })
    }

    fn opened<T, E: std::fmt::Display>(
        &self,
        endpoint: &Endpoint,
        sealed: &[u8],
        field: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        parse(&self.open(endpoint, sealed, field)?)
            .inspect_err(
                |error| tracing::error!(endpoint = %endpoint.id, field, %error, "what it signs with is unusable"),
            )
            .ok()
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
    /// Whether it has all that its scheme signs with: without that nothing is ever sent.
    pub(crate) fn can_sign(&self) -> bool {
        self.signers.is_some()
    }

    /// The signature header of a delivery at this time, for the current secret first. None: it can't be signed in full, so
    /// it may not be sent.
    pub(crate) fn sign(&self, delivery_id: &str, body: &[u8], now_ms: i64) -> Option<String> {
        let current = self.signers.as_ref()?;
        let previous = self
            .previous
            .as_ref()
            .filter(|(_, expires_at_ms)| now_ms < *expires_at_ms);
        let mut secrets = vec![&current.secret];
        let mut keys: Vec<&SigningKey> = current.key.iter().collect();
        if let Some((previous, _)) = previous {
            secrets.push(&previous.secret);
            keys.extend(&previous.key);
        }
        signing::sign(self.scheme, delivery_id, now_ms / 1000, body, &secrets, &keys)
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
