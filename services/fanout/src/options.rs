//! The fan-out's settings. Deliberately not here: where they come from (the binary reads file and environment).

use event_model::{Format, TenantFrom};
use serde::{Deserialize, Deserializer};
use std::{collections::HashSet, fmt, str::FromStr};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Settings of the role.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Where events are read from besides `ingest`; empty: the prefix's `events` topic.
    pub sources: Vec<Source>,
    pub guarantee: Guarantee,
    /// An event older than an endpoint's creation by more than this is not for it.
    pub clock_tolerance_sec: u32,
    /// Larger values are rejected. A rendered body has at most 512 KiB whatever this says.
    pub max_payload_bytes: usize,
    /// Partitions of the lanes topic.
    pub lanes: i32,
    /// `kafka.instance_id`: static membership, which moves partitions only after the session timeout.
    pub instance_id: Option<String>,
    pub batch: BatchLimits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            guarantee: Guarantee::AtLeastOnce,
            clock_tolerance_sec: 5,
            max_payload_bytes: 256 << 10,
            lanes: 64,
            instance_id: None,
            batch: BatchLimits::default(),
        }
    }
}

/// How much one partition takes at once. A crash repeats at most this much of each partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchLimits {
    pub max_records: usize,
    /// Also the window of what is read ahead of a partition.
    pub max_bytes: usize,
    /// Most deliveries written before their acknowledgements are awaited and the offset is committed (a single event
    /// may have more).
    pub max_deliveries: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            max_records: 500,
            max_bytes: 4 << 20,
            max_deliveries: 10_000,
        }
    }
}

/// A topic that events are read from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub topic: String,
    #[serde(default, deserialize_with = "from_text")]
    pub format: Format,
    #[serde(default, deserialize_with = "from_text")]
    pub tenant: TenantFrom,
    #[serde(default, deserialize_with = "from_text")]
    pub start: StartAt,
}

impl Source {
    /// A source with the defaults: format by headers, the tenant in a field, from the earliest record.
    pub fn new(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            format: Format::default(),
            tenant: TenantFrom::default(),
            start: StartAt::default(),
        }
    }
}

/// Where a source is begun when nothing of it was ever committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartAt {
    #[default]
    Earliest,
    Latest,
    /// At the first record of this time or later; Unix milliseconds.
    Time(i64),
}

impl FromStr for StartAt {
    type Err = InvalidOptions;
    fn from_str(text: &str) -> Result<Self, InvalidOptions> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            _ => OffsetDateTime::parse(text, &Rfc3339)
                .ok()
                .and_then(|time| i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok())
                .map(Self::Time)
                .ok_or_else(|| {
                    InvalidOptions(format!(
                        "`{text}` is no start; use earliest, latest or a time like 2026-11-21T10:00:00Z"
                    ))
                }),
        }
    }
}

/// What holds between a source record and its deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Guarantee {
    /// Idempotent writes, the offset after their acknowledgements.
    #[default]
    AtLeastOnce,
}

impl FromStr for Guarantee {
    type Err = InvalidOptions;
    fn from_str(text: &str) -> Result<Self, InvalidOptions> {
        match text {
            "at_least_once" => Ok(Self::AtLeastOnce),
            "exactly_once" => Err(InvalidOptions(
                "`exactly_once` comes with a later version; use at_least_once".to_owned(),
            )),
            _ => Err(InvalidOptions(format!("`{text}` is no guarantee; use at_least_once"))),
        }
    }
}

impl<'de> Deserialize<'de> for Guarantee {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

/// Settings that can't be used, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidOptions(pub String);

impl Options {
    /// Everything wrong with the settings, at once. `ingest` is the name of the topic that is always read.
    pub fn problems(&self, ingest: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let mut seen = HashSet::new();
        for source in &self.sources {
            if source.topic == ingest {
                problems.push(format!("sources: `{ingest}` is always read; take it out"));
            } else if !seen.insert(source.topic.as_str()) {
                problems.push(format!(
                    "sources: `{}` is given twice; a topic has one format and tenant",
                    source.topic
                ));
            }
        }
        if self.lanes < 1 {
            problems.push(format!("kafka.lanes: {} is not possible; at least 1", self.lanes));
        }
        if self.max_payload_bytes == 0 {
            problems.push("delivery.max_payload_bytes: 0 would reject everything".to_owned());
        }
        let BatchLimits {
            max_records,
            max_bytes,
            max_deliveries,
        } = self.batch;
        if max_records == 0 || max_bytes == 0 || max_deliveries == 0 {
            problems.push("fanout.batch: every limit must be at least 1".to_owned());
        }
        problems
    }
}

fn from_text<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Options, String> {
        serde_json::from_str(json).map_err(|e| e.to_string())
    }

    #[test]
    fn sources_are_read_as_the_command_line_contract_says() {
        let options = read(
            r#"{"sources":[{"topic":"a"},
                {"topic":"b","format":"event_payload","tenant":"fixed:org_1","start":"1970-01-01T00:00:02Z"},
                {"topic":"c","tenant":"header","start":"latest"}]}"#,
        )
        .expect("well-formed");
        assert_eq!(options.sources[0], Source::new("a"));
        let [_, b, c] = &options.sources[..] else {
            panic!("three sources")
        };
        assert_eq!(
            (b.format, &b.tenant),
            (Format::EventPayload, &TenantFrom::Fixed("org_1".to_owned()))
        );
        assert_eq!((b.start, c.start), (StartAt::Time(2000), StartAt::Latest));
        assert_eq!(options.max_payload_bytes, 262_144);
    }

    #[test]
    fn what_is_wrong_is_refused_with_what_to_do() {
        assert!(
            read(r#"{"sources":[{"topic":"a","tenant":"nobody"}]}"#)
                .expect_err("refused")
                .contains("fixed:<tenant id>")
        );
        assert!(
            read(r#"{"guarantee":"exactly_once"}"#)
                .expect_err("refused")
                .contains("later version")
        );
        assert!(
            read(r#"{"sources":[{"topic":"a","start":"yesterday"}]}"#)
                .expect_err("refused")
                .contains("earliest")
        );
        let twice = Options {
            sources: vec![Source::new("a"), Source::new("a"), Source::new("i")],
            lanes: 0,
            ..Options::default()
        };
        assert_eq!(twice.problems("i").len(), 3);
        assert!(Options::default().problems("i").is_empty());
    }
}
