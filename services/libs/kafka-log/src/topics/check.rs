//! Compares the brokers' topics with what they should be, and says what a difference endangers.

use super::{TopicSpec, apply::differing};
use crate::{Admin, Error};

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
            let danger = endangers(&key);
            find(
                Severity::Error,
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
        let in_sync = now.get("min.insync.replicas").map_or("1", String::as_str);
        if described.replication >= 3 && in_sync == "1" {
            find(
                Severity::Warning,
                "min.insync.replicas is 1: a record acknowledged by one broker only is lost with it; set it to 2"
                    .to_owned(),
            );
        }
    }
    findings.sort_by_key(|f| f.severity == Severity::Warning);
    Ok(findings)
}

fn endangers(setting: &str) -> &'static str {
    match setting {
        "retention.ms" => "records that wait longer than that are deleted unread",
        "retention.bytes" => "records are deleted unread when more than that waits",
        "cleanup.policy" => "records are deleted or compacted that are still needed",
        "max.message.bytes" => "a large record would be refused and block its partition",
        "unclean.leader.election.enable" => "acknowledged records can be lost when a broker dies",
        "message.timestamp.type" => "retries would come early or late by the producers' clocks",
        "segment.bytes" | "segment.ms" => "what is done stays on disk longer",
        _ => "behaviour differs from what was tested",
    }
}
