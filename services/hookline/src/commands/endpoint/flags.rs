//! The settings of an endpoint as flags: their ranges, and what they do to the endpoint. Ranges are http-api's; what the
//! ledger refuses beyond them (quotas, lengths) the clerk says.

use crate::config::{Config, Secret};
use crate::connect;
use crate::failure::Usage;
use anyhow::{Context as _, anyhow, bail};
use clap::ValueEnum;
use delivery_core::reserved_headers::is_reserved;
use egress::{HeaderName, HeaderValue, IpNet, Policy};
use event_model::{Catalogs, Envelope, filter};
use ledger::Keyring;
use schemas::{Endpoint, Limit, ResourceScopes, Tenant};
use signing::Scheme;
use std::net::IpAddr;

const MOST_RETRIES: usize = 20;
const LONGEST_RETRY_SEC: i64 = 172_800;
const MOST_HEADERS: usize = 20;
const MOST_URL_CHARS: usize = 2048;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Status {
    Active,
    Paused,
    Disabled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Placement {
    Auto,
    Dedicated,
    Shared,
}

/// Which answers are retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    Standard,
    #[value(name = "retry_all")]
    RetryAll,
}

/// Settings that `update` can take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Unset {
    Description,
    ResourceScopes,
    Rate,
    MaxInFlight,
    Timeout,
    RetrySchedule,
    Headers,
    Metadata,
}

/// Delays in seconds; empty: no retries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrySchedule(Vec<i64>);

#[derive(Debug, Clone, clap::Args)]
pub struct Fields {
    /// Where to deliver
    #[arg(long)]
    pub url: Option<String>,
    /// An event type, a prefix such as vault.ingest.*, or *; may be repeated
    #[arg(long = "filter", alias = "filters", value_name = "FILTER", value_delimiter = ',')]
    pub filters: Vec<String>,
    /// active, paused or disabled
    #[arg(long, value_enum)]
    pub status: Option<Status>,
    /// Most requests a second
    #[arg(long, value_name = "PER_SECOND", value_parser = positive)]
    pub rate: Option<f64>,
    /// How many of them may come at once; the rate, but at least 1, when left out
    #[arg(long, requires = "rate", value_parser = clap::value_parser!(i32).range(1..=100_000))]
    pub burst: Option<i32>,
    /// Most requests under way at once
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=1000))]
    pub max_in_flight: Option<i32>,
    /// Longest request, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i32).range(1..=60))]
    pub timeout: Option<i32>,
    /// Delays before each retry, in seconds: 5,60,300; none: no retries
    #[arg(long, value_name = "SECONDS,…|none", value_parser = retry_schedule)]
    pub retry_schedule: Option<RetrySchedule>,
    /// Which answers are retried: standard, or every one that is not 2xx (retry_all)
    #[arg(long, value_enum)]
    pub dialect: Option<Dialect>,
    /// The body: standard, event_payload, cloudevents, or raw (the data alone)
    #[arg(long)]
    pub envelope: Option<Envelope>,
    /// Signatures: v1 (HMAC with the secret), v1a (ed25519, verified with the public key that `get` shows) or both
    #[arg(long, value_name = "SCHEME")]
    pub signature_scheme: Option<Scheme>,
    /// Only events of this vault; may be repeated
    #[arg(long = "vault-id", value_name = "ID")]
    pub vault_ids: Vec<String>,
    /// Only events of this matter; may be repeated
    #[arg(long = "matter-id", value_name = "ID")]
    pub matter_ids: Vec<String>,
    /// A header of every request, NAME=VALUE; may be repeated, and replaces all headers
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = Secret::read)]
    pub headers: Vec<Secret>,
    /// For people
    #[arg(long)]
    pub description: Option<String>,
    /// A note of your own, NAME=VALUE, never sent; may be repeated, and replaces all metadata (`update --unset metadata` clears it)
    #[arg(long, value_name = "NAME=VALUE", value_parser = note)]
    pub metadata: Vec<(String, String)>,
    /// A topic of its own (dedicated), the shared lanes, or as there is room (auto)
    #[arg(long, value_enum)]
    pub placement: Option<Placement>,
}

/// What a change is judged by.
pub struct Judge<'a> {
    policy: Policy,
    catalogs: &'a Catalogs,
    tenant: &'a Tenant,
    /// Of the tenant's deliveries.
    header_prefix: &'a str,
}

impl<'a> Judge<'a> {
    pub fn new(config: &'a Config, catalogs: &'a Catalogs, tenant: &'a Tenant) -> Self {
        let own_prefix = tenant.header_prefix.as_deref();
        Self {
            policy: connect::egress_policy(config),
            catalogs,
            tenant,
            header_prefix: own_prefix.unwrap_or(&config.delivery.header_prefix),
        }
    }
}

impl Fields {
    pub fn require_for_create(&self) -> anyhow::Result<()> {
        if self.url.is_none() || self.filters.is_empty() {
            return Err(Usage::error("an endpoint needs --url and at least one --filter"));
        }
        self.check_counts()
    }

    pub fn require_for_update(&self, unset: &[Unset]) -> anyhow::Result<()> {
        let nothing = self.url.is_none()
            && self.filters.is_empty()
            && self.status.is_none()
            && self.rate.is_none()
            && self.max_in_flight.is_none()
            && self.timeout.is_none()
            && self.retry_schedule.is_none()
            && self.dialect.is_none()
            && self.envelope.is_none()
            && self.signature_scheme.is_none()
            && self.vault_ids.is_empty()
            && self.matter_ids.is_empty()
            && self.headers.is_empty()
            && self.description.is_none()
            && self.metadata.is_empty()
            && self.placement.is_none();
        if nothing && unset.is_empty() {
            return Err(Usage::error(
                "nothing to change was given; see `hookline endpoint update --help`",
            ));
        }
        self.check_counts()
    }

    fn check_counts(&self) -> anyhow::Result<()> {
        if self.headers.len() > MOST_HEADERS {
            return Err(Usage::error(format!("at most {MOST_HEADERS} --header are allowed")));
        }
        self.own_headers().map(drop)
    }

    fn own_headers(&self) -> anyhow::Result<Vec<(HeaderName, HeaderValue)>> {
        let read = |flag: &Secret| header(flag.reveal()).map_err(|error| Usage::error(format!("--header: {error}")));
        self.headers.iter().map(read).collect()
    }

    /// Whether [`Self::apply`] needs the keyring.
    pub fn seals(&self) -> bool {
        !self.headers.is_empty() || self.signature_scheme.is_some_and(Scheme::has_v1a)
    }

    /// Does what the flags say. `keyring` is needed for headers and a key pair alone.
    pub fn apply(&self, endpoint: &mut Endpoint, judge: &Judge<'_>, keyring: Option<&Keyring>) -> anyhow::Result<()> {
        self.apply_what_matches(endpoint, judge)?;
        self.apply_how_it_is_sent(endpoint);
        if let Some(status) = self.status {
            set_status(endpoint, status);
        }
        if let Some(scheme) = self.signature_scheme {
            endpoint.signature_scheme = scheme.as_str().to_owned();
            if scheme.has_v1a() {
                let keyring = keyring.context("a signing key is encrypted, which needs secrets.key")?;
                ledger::make_signing_key(endpoint, keyring);
            }
        }
        if !self.headers.is_empty() {
            let keyring = keyring.context("header values are encrypted, which needs secrets.key")?;
            endpoint.headers.clear();
            for (name, value) in self.own_headers()? {
                if is_reserved(name.as_str(), judge.header_prefix) {
                    bail!("--header: {name} is set by Hookline itself; leave it out");
                }
                let value = value
                    .to_str()
                    .map_err(|_| anyhow!("the value of header {name} is not plain text"))?;
                ledger::seal_header(endpoint, keyring, name.as_str(), value);
            }
        }
        Ok(())
    }

    fn apply_what_matches(&self, endpoint: &mut Endpoint, judge: &Judge<'_>) -> anyhow::Result<()> {
        if let Some(url) = &self.url {
            if url.chars().count() > MOST_URL_CHARS {
                bail!("--url has at most {MOST_URL_CHARS} characters");
            }
            check_url(url, &judge.policy)?;
            endpoint.url.clone_from(url);
        }
        if !self.filters.is_empty() {
            check_filters(&self.filters, judge, &endpoint.required_scopes)?;
            endpoint.event_type_filters.clone_from(&self.filters);
        }
        if !self.vault_ids.is_empty() || !self.matter_ids.is_empty() {
            endpoint.resource_scopes = Some(ResourceScopes {
                vault_ids: self.vault_ids.clone(),
                matter_ids: self.matter_ids.clone(),
            });
        }
        Ok(())
    }

    fn apply_how_it_is_sent(&self, endpoint: &mut Endpoint) {
        if let Some(per_second) = self.rate {
            #[expect(clippy::cast_possible_truncation, reason = "a rate is at most 100,000")]
            let burst = self.burst.unwrap_or(per_second.ceil() as i32).max(1);
            endpoint.rate_limit = Some(Limit { per_second, burst });
        }
        endpoint.max_in_flight = self.max_in_flight.or(endpoint.max_in_flight);
        endpoint.timeout_sec = self.timeout.or(endpoint.timeout_sec);
        if let Some(RetrySchedule(delays_sec)) = &self.retry_schedule {
            endpoint.retry_schedule_sec = Some(delays_sec.clone());
        }
        if let Some(dialect) = self.dialect {
            endpoint.dialect = name_of(dialect);
            endpoint.disable_on_gone = dialect == Dialect::Standard;
        }
        if let Some(envelope) = self.envelope {
            endpoint.envelope = envelope.as_str().to_owned();
        }
        if let Some(description) = &self.description {
            endpoint.description = Some(description.clone());
        }
        if !self.metadata.is_empty() {
            endpoint.metadata = self.metadata.iter().cloned().collect();
        }
        if let Some(placement) = self.placement {
            endpoint.placement = name_of(placement);
        }
    }
}

impl Unset {
    pub fn apply(self, endpoint: &mut Endpoint) {
        match self {
            Self::Description => endpoint.description = None,
            Self::ResourceScopes => endpoint.resource_scopes = None,
            Self::Rate => endpoint.rate_limit = None,
            Self::MaxInFlight => endpoint.max_in_flight = None,
            Self::Timeout => endpoint.timeout_sec = None,
            Self::RetrySchedule => endpoint.retry_schedule_sec = None,
            Self::Headers => endpoint.headers.clear(),
            Self::Metadata => endpoint.metadata.clear(),
        }
    }
}

fn check_url(url: &str, policy: &Policy) -> anyhow::Result<()> {
    let Err(denied) = policy.check_url(url) else {
        return Ok(());
    };
    let generous = Policy {
        allow_networks: [IpAddr::from([0_u8; 4]), IpAddr::from([0_u8; 16])]
            .map(|any| IpNet::new_assert(any, 0))
            .to_vec(),
        allow_http: true,
    };
    if generous.check_url(url).is_ok() {
        bail!("--url: {denied}; an operator may allow more with egress.allow_networks and egress.allow_http");
    }
    bail!("--url: {denied}");
}

fn check_filters(filters: &[String], judge: &Judge<'_>, scopes: &[String]) -> anyhow::Result<()> {
    let refused = match filter::validate(filters, judge.catalogs, &judge.tenant.catalogs, scopes) {
        Ok(_) => return Ok(()),
        Err(refused) => refused,
    };
    let reasons: Vec<_> = refused
        .iter()
        .map(|(_, error)| {
            if error.is_permission() {
                format!("403: {error} (--scopes)")
            } else {
                error.to_string()
            }
        })
        .collect();
    let catalogs = judge.tenant.catalogs.join(", ");
    bail!(
        "--filter: {}; the tenant's catalogs are: {catalogs}",
        reasons.join("; ")
    )
}

/// By a person's hand: no reason is kept, and what the circuit or a 410 did is forgotten.
fn set_status(endpoint: &mut Endpoint, status: Status) {
    endpoint.disabled_reason = None;
    endpoint.disabled_at_ms = (status == Status::Disabled).then(runtime::clock::now_ms);
    endpoint.status = name_of(status);
}

/// The value's name on the command line, which is its name in records too.
fn name_of(value: impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it must be a number".to_owned())?;
    if (0.001..=100_000.0).contains(&number) {
        Ok(number)
    } else {
        Err("it must be 0.001 to 100000".to_owned())
    }
}

fn retry_schedule(text: &str) -> Result<RetrySchedule, String> {
    if matches!(text.trim(), "" | "none") {
        return Ok(RetrySchedule(Vec::new()));
    }
    let delays_sec = text
        .split(',')
        .map(|delay| {
            delay
                .trim()
                .parse()
                .ok()
                .filter(|sec| (0..=LONGEST_RETRY_SEC).contains(sec))
        })
        .collect::<Option<Vec<i64>>>()
        .ok_or_else(|| format!("each delay must be 0 to {LONGEST_RETRY_SEC} seconds; `none` means no retries"))?;
    if delays_sec.len() > MOST_RETRIES {
        return Err(format!("it has at most {MOST_RETRIES} delays"));
    }
    Ok(RetrySchedule(delays_sec))
}

fn note(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("it must be NAME=VALUE".to_owned()),
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once('=').ok_or("it must be NAME=VALUE")?;
    if name.len() > 64 || value.len() > 1024 {
        return Err("a name has at most 64 characters, a value 1,024".to_owned());
    }
    let name = name.trim().parse().map_err(|_| "that is no header's name".to_owned())?;
    // The value may be a secret: it is not repeated.
    let mut value: HeaderValue = value.parse().map_err(|_| "that can't be a header's value".to_owned())?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_records() {
        assert_eq!(name_of(Dialect::RetryAll), "retry_all");
        assert_eq!(
            (name_of(Status::Paused), name_of(Placement::Auto)),
            ("paused".into(), "auto".into())
        );
    }

    #[test]
    fn a_schedule_may_be_empty() {
        let delays = |text| retry_schedule(text).map(|schedule| schedule.0);
        assert_eq!(delays("5, 60,300"), Ok(vec![5, 60, 300]));
        assert_eq!((delays("none"), delays("")), (Ok(vec![]), Ok(vec![])));
        assert!(delays("5,").is_err() && delays("172801").is_err() && delays(&"1,".repeat(21)).is_err());
    }

    #[test]
    fn a_header_is_a_name_and_a_value_that_is_not_shown() {
        let (name, value) = header("X-Team=blue=1").expect("a header");
        assert_eq!((name.as_str(), value.to_str().expect("text")), ("x-team", "blue=1"));
        assert!(!format!("{value:?}").contains("blue"));
        assert!(header("novalue").is_err() && header("a b=c").is_err());
    }
}
