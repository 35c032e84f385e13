//! Makes the topics that are missing and mends the settings that differ.

use super::{TopicSettings, TopicSpec};
use crate::{Admin, Error};
use std::collections::HashMap;

const IN_SYNC: &str = "min.insync.replicas";

/// What was done to one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    Created(String),
    /// Settings changed: (topic, setting, from, to).
    Changed(String, String, String, String),
    /// Partitions can't be taken away and adding them would move keys: (topic, has, should have).
    WrongPartitions(String, i32, i32),
}

/// Creates and corrects; returns what was changed. Running it again changes nothing.
pub async fn apply(admin: &Admin, settings: &TopicSettings, topics: &[TopicSpec]) -> Result<Vec<Applied>, Error> {
    let replication = replication(admin, settings).await?;
    let existing = admin.topics("").await?;
    let (there, missing): (Vec<&TopicSpec>, Vec<&TopicSpec>) =
        topics.iter().partition(|topic| existing.contains_key(&topic.name));
    let missing: Vec<TopicSpec> = missing
        .into_iter()
        .map(|topic| TopicSpec {
            config: config(topic, replication),
            ..topic.clone()
        })
        .collect();
    let mut applied = Vec::new();
    if !missing.is_empty() {
        applied.extend(
            admin
                .create_all(&missing, replication)
                .await?
                .into_iter()
                .map(Applied::Created),
        );
    }
    let names: Vec<&str> = there.iter().map(|topic| topic.name.as_str()).collect();
    let settings = admin.settings(&names).await?;
    for topic in there {
        let has = existing[&topic.name].partitions;
        if has != topic.partitions {
            applied.push(Applied::WrongPartitions(topic.name.clone(), has, topic.partitions));
        }
        let differing = settings
            .get(&topic.name)
            .map(|now| to_mend(topic, existing[&topic.name].replication, now))
            .unwrap_or_default();
        if differing.is_empty() {
            continue;
        }
        let wanted: Vec<_> = differing.iter().map(|(key, _, to)| (key.clone(), to.clone())).collect();
        admin.set(&topic.name, &wanted).await?;
        applied.extend(
            differing
                .into_iter()
                .map(|(key, from, to)| Applied::Changed(topic.name.clone(), key, from, to)),
        );
    }
    Ok(applied)
}

/// What differs, and `min.insync.replicas` when it would let one broker alone acknowledge, or ask for more than there are.
fn to_mend(topic: &TopicSpec, replication: i32, now: &HashMap<String, String>) -> Vec<(String, String, String)> {
    let mut differing = differing(&topic.config, now);
    let has = now.get(IN_SYNC).and_then(|least| least.parse().ok()).unwrap_or(1);
    let wants = if replication >= 3 { 2 } else { 1 };
    if has > replication || (replication >= 3 && has < wants) {
        differing.push((IN_SYNC.into(), has.to_string(), wants.to_string()));
    }
    differing
}

fn config(topic: &TopicSpec, replication: i32) -> Vec<(String, String)> {
    let mut config = topic.config.clone();
    if replication >= 3 {
        config.push((IN_SYNC.into(), "2".into()));
    }
    config
}

/// Creates one topic with the replication that [`replication`] gave. False when it exists already.
pub async fn create(admin: &Admin, topic: &TopicSpec, replication: i32) -> Result<bool, Error> {
    admin
        .create(&topic.name, topic.partitions, replication, &config(topic, replication))
        .await
}

/// The replication factor to use: as configured, else the brokers' default.
pub async fn replication(admin: &Admin, settings: &TopicSettings) -> Result<i32, Error> {
    if let Some(replication) = settings.replication_factor {
        return Ok(replication);
    }
    let (_, broker) = admin.brokers().await?;
    let settings = admin.broker_settings(broker).await?;
    Ok(settings
        .get("default.replication.factor")
        .and_then(|v| v.parse().ok())
        .unwrap_or(-1))
}

/// (setting, value now, value wanted) of those that differ.
pub(super) fn differing(wanted: &[(String, String)], now: &HashMap<String, String>) -> Vec<(String, String, String)> {
    wanted
        .iter()
        .filter_map(|(key, value)| {
            let has = now.get(key).map_or("", String::as_str);
            (!same(has, value)).then(|| (key.clone(), has.to_owned(), value.clone()))
        })
        .collect()
}

/// Lists are compared as sets: `delete,compact` is `compact,delete`.
fn same(a: &str, b: &str) -> bool {
    let sorted = |text: &str| {
        let mut parts: Vec<String> = text.split(',').map(|p| p.trim().to_owned()).collect();
        parts.sort();
        parts
    };
    sorted(a) == sorted(b)
}
