//! Compares the brokers' topics with what they should be, and says what a difference endangers.

use super::{TopicSpec, apply::differing};
use crate::{Admin, Error};
use std::collections::HashMap;

/// Of a source topic: a weekend without fan-out must be survived.
const SHORT_RETENTION_MS: i64 = 3 * 86_400_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Hookline can't work, or loses something.
    Error,
    /// Less safe than it could be.
    Warning,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub topic: String,
    /// What differs, what it endangers and what to do.
    pub message: String,
}

/// Everything that differs, worst first. Empty: all is well.
pub async fn check(admin: &Admin, topics: &[TopicSpec]) -> Result<Vec<Finding>, Error> {
    let existing = admin.topics("").await?;
    let (brokers, _) = admin.brokers().await?;
    let names: Vec<&str> = topics
        .iter()
        .map(|t| t.name.as_str())
        .filter(|n| existing.contains_key(*n))
        .collect();
    let settings = admin.settings(&names).await?;
    let mut findings = Vec::new();
    for topic in topics {
        let mut find = |severity, message| {
            findings.push(Finding {
                severity,
                topic: topic.name.clone(),
                message,
            })
        };
        let Some(described) = existing.get(&topic.name) else {
            find(Severity::Error, "is missing; run `hookline topics apply`".to_owned());
            continue;
        };
        if described.partitions != topic.partitions {
            let (has, wants) = (described.partitions, topic.partitions);
            find(
                Severity::Error,
                format!(
                    "has {has} partitions, not {wants}: records would be looked for in the wrong one; set kafka.lanes to what it was at first, or recreate the installation"
                ),
            );
        }
        let Some(now) = settings.get(&topic.name) else { continue };
        for (key, has, wants) in differing(&topic.config, now) {
            let (severity, danger) = endangers(&key);
            find(
                severity,
                format!("{key} is {has}, not {wants}: {danger}; run `hookline topics apply`"),
            );
        }
        if brokers >= 3 && described.replication < 3 {
            let has = described.replication;
            find(
                Severity::Warning,
                format!(
                    "is kept by {has} of {brokers} brokers: losing one can lose records; set kafka.replication_factor = 3 before the first start, or reassign it"
                ),
            );
        }
        if let Some((severity, message)) = in_sync(described.replication, now) {
            find(severity, message);
        }
    }
    findings.sort_by_key(|f| f.severity == Severity::Warning);
    Ok(findings)
}

/// What `min.insync.replicas` endangers beside this many replicas.
fn in_sync(replication: i32, now: &HashMap<String, String>) -> Option<(Severity, String)> {
    let least: i32 = now.get("min.insync.replicas").and_then(|least| least.parse().ok())?;
    let is_kept_safely = replication >= 3;
    if least > replication {
        let message = format!(
            "min.insync.replicas is {least}, and there are {replication} replicas: nothing can be written; run \
             `hookline topics apply`, or reassign it"
        );
        return Some((Severity::Error, message));
    }
    if is_kept_safely && least == 1 {
        let message = "min.insync.replicas is 1: a record acknowledged by one broker only is lost with it; run \
                       `hookline topics apply`";
        return Some((Severity::Warning, message.to_owned()));
    }
    if replication > 1 && least == replication {
        let message = format!(
            "min.insync.replicas is {least} of {replication} replicas: nothing can be written while one broker is away"
        );
        return Some((Severity::Warning, message));
    }
    None
}

/// What a source topic's own settings endanger. They are its producers' to choose, so these are warnings.
#[must_use]
pub fn check_source(topic: &str, now: &HashMap<String, String>) -> Vec<Finding> {
    let text = |key: &str| now.get(key).map_or("", String::as_str);
    let limit = |key: &str| text(key).parse().ok().filter(|limit: &i64| *limit >= 0);
    let mut messages = Vec::new();
    if let Some(ms) = limit("retention.ms").filter(|ms| *ms < SHORT_RETENTION_MS) {
        messages.push(format!(
            "retention.ms is {ms}: events that wait longer than that while no fan-out runs are deleted unread"
        ));
    }
    if let Some(bytes) = limit("retention.bytes") {
        messages.push(format!(
            "retention.bytes is {bytes}: events are deleted unread when more than that waits in a partition"
        ));
    }
    if text("cleanup.policy").contains("compact") {
        messages
            .push("cleanup.policy is compact: of events with one key all but the last can vanish unread".to_owned());
    }
    if text("unclean.leader.election.enable") == "true" {
        messages.push(
            "unclean.leader.election.enable is true: acknowledged events can be lost when a broker dies".to_owned(),
        );
    }
    let finding = |message| Finding {
        severity: Severity::Warning,
        topic: topic.to_owned(),
        message: format!("is a source, and its {message}"),
    };
    messages.into_iter().map(finding).collect()
}

/// What a setting that differs endangers: work and data, or room alone.
fn endangers(setting: &str) -> (Severity, &'static str) {
    use Severity::{Error, Warning};
    match setting {
        "retention.ms" => (Error, "records that wait longer than that are deleted unread"),
        "retention.bytes" => (Error, "records are deleted unread when more than that waits"),
        "cleanup.policy" => (Error, "records are deleted or compacted that are still needed"),
        "max.message.bytes" => (Error, "a large record would be refused and block its partition"),
        "unclean.leader.election.enable" => (Error, "acknowledged records can be lost when a broker dies"),
        "message.timestamp.type" => (Error, "retries would come early or late by the producers' clocks"),
        "segment.bytes" | "segment.ms" => (Warning, "what is done stays on disk longer, or in many small files"),
        "min.cleanable.dirty.ratio" => (
            Warning,
            "what is out of date stays on disk longer, and starts take longer",
        ),
        _ => (Warning, "behaviour differs from what was tested"),
    }
}

#[cfg(test)]
mod tests {
    //! Words for every setting, and what needs no brokers to judge.
    use super::*;
    use crate::{Names, topics};

    fn settings(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn every_setting_has_its_own_danger() {
        let wanted = topics::TopicSettings {
            lanes: 1,
            replication_factor: None,
            history_retention_days: 1,
            dlq_retention_days: 1,
            default_source: true,
        };
        let (_, unknown) = endangers("no.such.setting");
        for topic in topics::fixed(&Names::new("t."), &wanted) {
            for (setting, _) in topic.config {
                assert_ne!(endangers(&setting).1, unknown, "{setting} of {}", topic.name);
            }
        }
    }

    #[test]
    fn replicas_that_must_be_in_sync_are_judged_beside_those_there_are() {
        let of = |replication, least| {
            in_sync(replication, &settings(&[("min.insync.replicas", least)])).map(|(severity, _)| severity)
        };
        assert_eq!(of(3, "2"), None);
        assert_eq!(of(1, "1"), None);
        assert_eq!(of(3, "1"), Some(Severity::Warning), "one broker alone acknowledges");
        assert_eq!(of(3, "3"), Some(Severity::Warning), "no broker may be away");
        assert_eq!(of(1, "2"), Some(Severity::Error), "nothing can be written");
    }

    #[test]
    fn a_source_that_can_lose_events_is_named() {
        let sound = settings(&[
            ("retention.ms", "604800000"),
            ("retention.bytes", "-1"),
            ("cleanup.policy", "delete"),
            ("unclean.leader.election.enable", "false"),
        ]);
        assert_eq!(check_source("orders", &sound), []);
        let risky = settings(&[
            ("retention.ms", "60000"),
            ("retention.bytes", "1000"),
            ("cleanup.policy", "compact"),
            ("unclean.leader.election.enable", "true"),
        ]);
        let found = check_source("orders", &risky);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found.iter().all(|finding| finding.severity == Severity::Warning));
    }
}
