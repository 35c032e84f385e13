//! Which topics there are, with which settings, and whether the brokers' agree.

mod apply;
mod check;

use crate::{Names, RETRY_TIERS_SEC};

pub use apply::{Applied, apply, create, replication};
pub use check::{Finding, Severity, check, check_source};

/// Partitions of `ingest`; an event's is murmur2 of its id.
pub const INGEST_PARTITIONS: i32 = 16;

/// Settings that topics are made with.
#[derive(Debug, Clone)]
pub struct TopicSettings {
    /// Partitions of `lanes`, `returns` and `health`.
    pub lanes: i32,
    /// None: the brokers' default.
    pub replication_factor: Option<i32>,
    pub history_retention_days: u32,
    pub dlq_retention_days: u32,
    /// Whether the default source topic is made too (when no other source is configured).
    pub default_source: bool,
}

/// A topic as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    pub name: String,
    pub partitions: i32,
    pub config: Vec<(String, String)>,
}

const MAX_MESSAGE_BYTES: &str = "2097152";
const DAY_MS: u64 = 86_400_000;

fn spec(name: String, partitions: i32, config: &[(&str, &str)]) -> TopicSpec {
    let mut all = vec![
        ("max.message.bytes".to_owned(), MAX_MESSAGE_BYTES.to_owned()),
        ("unclean.leader.election.enable".to_owned(), "false".to_owned()),
    ];
    all.extend(config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    TopicSpec {
        name,
        partitions,
        config: all,
    }
}

/// Kept until the reader truncates it: both retention settings, because a broker-wide limit of either kind would
/// otherwise delete what nobody has read.
fn kept_until_done(name: String, partitions: i32, segment_mib: u64, extra: &[(&str, &str)]) -> TopicSpec {
    let segment = (segment_mib << 20).to_string();
    let mut config = vec![
        ("cleanup.policy", "delete"),
        ("retention.ms", "-1"),
        ("retention.bytes", "-1"),
        ("segment.bytes", segment.as_str()),
        ("segment.ms", "3600000"),
    ];
    config.extend_from_slice(extra);
    spec(name, partitions, &config)
}

/// Settings of a dedicated topic, by its name.
pub fn endpoint_topic(name: String) -> TopicSpec {
    kept_until_done(name, 1, 16, &[])
}

/// Every fixed topic of an installation.
pub fn fixed(names: &Names, settings: &TopicSettings) -> Vec<TopicSpec> {
    let days = |days: u32| (u64::from(days) * DAY_MS).to_string();
    let (history, dlq) = (days(settings.history_retention_days), days(settings.dlq_retention_days));
    let week = (7 * DAY_MS).to_string();
    let day = DAY_MS.to_string();
    fn keep(ms: &str) -> [(&str, &str); 3] {
        [
            ("cleanup.policy", "delete"),
            ("retention.bytes", "-1"),
            ("retention.ms", ms),
        ]
    }
    let log = [
        ("cleanup.policy", "delete"),
        ("retention.bytes", "-1"),
        ("retention.ms", history.as_str()),
        ("segment.bytes", "67108864"),
        ("segment.ms", "3600000"),
    ];
    let compact = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "3600000"),
        ("min.cleanable.dirty.ratio", "0.2"),
    ];
    let dead = [
        ("cleanup.policy", "compact,delete"),
        ("retention.bytes", "-1"),
        ("retention.ms", dlq.as_str()),
        ("segment.ms", "3600000"),
    ];
    let mut topics = vec![
        spec(names.ingest(), INGEST_PARTITIONS, &log),
        spec(names.ledger_requests(), 1, &keep(&week)),
        spec(names.ledger(), 1, &compact),
        spec(names.ledger_outcomes(), 1, &keep(&day)),
        kept_until_done(names.lanes(), settings.lanes, 64, &[]),
        kept_until_done(names.returns(), settings.lanes, 64, &[]),
        spec(names.log(), 16, &log),
        spec(names.health(), settings.lanes, &compact),
        spec(names.dlq(), 8, &dead),
        spec(names.rejected(), 4, &keep(&history)),
    ];
    for tier in RETRY_TIERS_SEC {
        let append_time = [("message.timestamp.type", "LogAppendTime")];
        topics.push(kept_until_done(names.retry(tier), 8, 16, &append_time));
    }
    if settings.default_source {
        topics.push(spec(names.events(), 16, &keep(&week)));
    }
    topics
}
