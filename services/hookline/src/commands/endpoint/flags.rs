//! The settings of an endpoint as flags, and how they are written. What they must be to be taken is `endpoint-settings`'
//! business, here or in the API.

use crate::config::Secret;
use crate::failure::Usage;
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use endpoint_settings::{MAX_HEADERS, RateLimit, Settings, Status, parse_header};
use event_model::Envelope;
use schemas::ResourceScopes;
use signing::Scheme;
use std::collections::BTreeMap;

const MOST_RETRIES: usize = 20;
const LONGEST_RETRY_SEC: i64 = 172_800;

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
    /// Whether deliveries are made (active), wait (paused) or are not made (disabled)
    #[arg(long, value_parser = status())]
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
    /// Whether a 410 disables the endpoint; when left out, as the dialect has it: standard true, retry_all false
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub disable_on_gone: Option<bool>,
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

impl Fields {
    /// For an endpoint that is to be made.
    pub fn for_create(&self) -> anyhow::Result<Settings> {
        if self.url.is_none() || self.filters.is_empty() {
            return Err(Usage::error("an endpoint needs --url and at least one --filter"));
        }
        self.settings(&[])
    }

    /// For one that is there.
    pub fn for_update(&self, unset: &[Unset]) -> anyhow::Result<Settings> {
        let settings = self.settings(unset)?;
        if settings.is_empty() {
            return Err(Usage::error(
                "nothing to change was given; see `hookline endpoint update --help`",
            ));
        }
        Ok(settings)
    }

    fn settings(&self, unset: &[Unset]) -> anyhow::Result<Settings> {
        let name = |value: Option<&str>| value.map(str::to_owned);
        let mut settings = Settings {
            url: self.url.clone(),
            event_type_filters: (!self.filters.is_empty()).then(|| self.filters.clone()),
            description: self.description.clone().map(Some),
            resource_scopes: self.resource_scopes().map(Some),
            status: self.status,
            headers: self.own_headers()?,
            rate_limit: self.rate.map(|per_second| {
                let burst = self.burst;
                Some(RateLimit { per_second, burst })
            }),
            max_in_flight: self.max_in_flight.map(Some),
            timeout_sec: self.timeout.map(Some),
            retry_schedule_sec: self.retry_schedule.clone().map(|RetrySchedule(sec)| Some(sec)),
            placement: self.placement.map(name_of),
            envelope: name(self.envelope.map(Envelope::as_str)),
            dialect: self.dialect.map(name_of),
            disable_on_gone: self
                .disable_on_gone
                .or_else(|| self.dialect.map(|dialect| dialect == Dialect::Standard)),
            signature_scheme: name(self.signature_scheme.map(Scheme::as_str)),
            metadata: (!self.metadata.is_empty()).then(|| self.metadata.iter().cloned().collect()),
            ..Settings::default()
        };
        for field in unset {
            field.apply(&mut settings)?;
        }
        Ok(settings)
    }

    fn resource_scopes(&self) -> Option<ResourceScopes> {
        let scopes = ResourceScopes {
            vault_ids: self.vault_ids.clone(),
            matter_ids: self.matter_ids.clone(),
        };
        (scopes != ResourceScopes::default()).then_some(scopes)
    }

    fn own_headers(&self) -> anyhow::Result<Option<BTreeMap<String, String>>> {
        if self.headers.is_empty() {
            return Ok(None);
        }
        if self.headers.len() > MAX_HEADERS {
            return Err(Usage::error(format!("at most {MAX_HEADERS} --header are allowed")));
        }
        let mut headers = BTreeMap::new();
        for flag in &self.headers {
            let (name, value) = header(flag.reveal()).map_err(|error| Usage::error(format!("--header: {error}")))?;
            if headers.insert(name.clone(), value).is_some() {
                return Err(Usage::error(format!("--header: {name} is given twice")));
            }
        }
        Ok(Some(headers))
    }
}

impl Unset {
    /// What is given and taken back at once is a mistake.
    fn apply(self, settings: &mut Settings) -> anyhow::Result<()> {
        fn clear<T>(field: &mut Option<T>, cleared: T) -> bool {
            field.replace(cleared).is_some()
        }
        let was_given = match self {
            Self::Description => clear(&mut settings.description, None),
            Self::ResourceScopes => clear(&mut settings.resource_scopes, None),
            Self::Rate => clear(&mut settings.rate_limit, None),
            Self::MaxInFlight => clear(&mut settings.max_in_flight, None),
            Self::Timeout => clear(&mut settings.timeout_sec, None),
            Self::RetrySchedule => clear(&mut settings.retry_schedule_sec, None),
            Self::Headers => clear(&mut settings.headers, BTreeMap::new()),
            Self::Metadata => clear(&mut settings.metadata, BTreeMap::new()),
        };
        if was_given {
            let name = name_of(self);
            return Err(Usage::error(format!(
                "--unset {name}: it is given a value, too; leave out one of them"
            )));
        }
        Ok(())
    }
}

/// The value's name on the command line, which is its name in records too.
fn name_of(value: impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

fn status() -> impl TypedValueParser<Value = Status> {
    PossibleValuesParser::new(Status::ALL.map(Status::as_str)).try_map(|name| name.parse::<Status>())
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

/// The value may be a secret: it is not repeated.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it must be NAME=VALUE")?;
    let (name, _) = parse_header(name.trim(), value)?;
    Ok((name.as_str().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        fields: Fields,
    }

    fn settings(line: &str, unset: &[Unset]) -> anyhow::Result<Settings> {
        let line = Line::try_parse_from(std::iter::once("x").chain(line.split_whitespace()))?;
        line.fields.settings(unset)
    }

    #[test]
    fn names_are_those_of_the_records() {
        assert_eq!(name_of(Dialect::RetryAll), "retry_all");
        assert_eq!(name_of(Placement::Auto), "auto");
    }

    #[test]
    fn a_schedule_may_be_empty() {
        let delays = |text| retry_schedule(text).map(|schedule| schedule.0);
        assert_eq!(delays("5, 60,300"), Ok(vec![5, 60, 300]));
        assert_eq!((delays("none"), delays("")), (Ok(vec![]), Ok(vec![])));
        assert!(delays("5,").is_err() && delays("172801").is_err() && delays(&"1,".repeat(21)).is_err());
    }

    #[test]
    fn a_header_is_a_name_and_a_value() {
        assert_eq!(header("X-Team=blue=1"), Ok(("x-team".into(), "blue=1".into())));
        assert!(header("novalue").is_err() && header("a b=c").is_err());
    }

    #[test]
    fn a_dialect_says_what_a_410_does_unless_a_flag_does() {
        for (line, disables) in [
            ("", None),
            ("--dialect retry_all", Some(false)),
            ("--dialect standard", Some(true)),
            ("--dialect retry_all --disable-on-gone", Some(true)),
            ("--disable-on-gone=false", Some(false)),
        ] {
            let settings = settings(line, &[]).expect("it is right");
            assert_eq!(settings.disable_on_gone, disables, "{line}");
        }
    }

    #[test]
    fn what_is_unset_is_taken_back_and_not_given() {
        let taken = settings("--timeout 3", &[Unset::Rate, Unset::Headers]).expect("it is right");
        assert!(taken.rate_limit == Some(None) && taken.headers.is_some_and(|headers| headers.is_empty()));
        assert_eq!((taken.timeout_sec, taken.max_in_flight), (Some(Some(3)), None));
        assert!(settings("--rate 3", &[Unset::Rate]).is_err());
        assert!(settings("", &[]).expect("it is right").is_empty());
    }
}
