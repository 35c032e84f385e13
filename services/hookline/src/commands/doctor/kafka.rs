//! Brokers, topics, and what this connection may do. Nothing is written to a topic.

use super::report::Report;
use crate::commands::topics;
use crate::config::Config;
use crate::connect;
use kafka_log::topics::{Finding, Severity};
use kafka_log::{Admin, Connection, Error, GroupOffsets, TopicPartition, TransactionalProducer, Watermarks};
use std::time::Duration;

const CLUSTER_TIMEOUT: Duration = Duration::from_secs(10);
/// Beyond these `topics check` has the rest.
const SHOWN: usize = 5;
/// As many as it takes for a broker to be missed by nobody.
const SAFE_BROKERS: usize = 3;

/// Whether any answers.
pub async fn brokers(report: &mut Report, connection: &Connection) -> anyhow::Result<bool> {
    let (asked, at) = (connection.clone(), connection.brokers().to_owned());
    let answered = async {
        let (brokers, one) = Admin::new(connection)?.brokers().await?;
        let cluster = tokio::task::spawn_blocking(move || asked.cluster_id(CLUSTER_TIMEOUT)).await;
        Ok::<_, Error>((brokers, one, cluster.map_err(|_| Error::Stopped)??))
    };
    let (brokers, cluster) = match answered.await {
        Ok((brokers, _, cluster)) => (brokers, cluster),
        Err(error) => {
            report.fail(
                "brokers",
                format!("{at}: {error}; the checks that need Kafka were left out"),
            )?;
            return Ok(false);
        }
    };
    report.ok("brokers", format!("{at} answers; cluster {cluster}"))?;
    if brokers < SAFE_BROKERS {
        report.warn(
            "cluster",
            format!(
                "{brokers} broker(s): while one is away topics are, too, and a lost disk loses them; production needs \
                 {SAFE_BROKERS}, with replication 3"
            ),
        )?;
    } else {
        report.ok("cluster", format!("{brokers} brokers"))?;
    }
    Ok(true)
}

/// As `topics check`.
pub async fn topics(report: &mut Report, connection: &Connection, config: &Config) -> anyhow::Result<()> {
    let checked = async {
        let admin = Admin::new(connection)?;
        connect::patiently(async || topics::check(&admin, config).await).await
    };
    let findings = match checked.await {
        Ok(findings) => findings,
        Err(error) => return report.fail("topics", error.to_string()),
    };
    if findings.is_empty() {
        return report.ok("topics", "all are there, with the settings that they should have");
    }
    for Finding {
        severity,
        topic,
        message,
    } in findings.iter().take(SHOWN)
    {
        let message = format!("{topic} {message}");
        match severity {
            Severity::Error => report.fail("topics", message)?,
            Severity::Warning => report.warn("topics", message)?,
        }
    }
    let rest = findings.iter().skip(SHOWN);
    let errors = rest.clone().filter(|rest| rest.severity == Severity::Error).count();
    let more = format!("{} more; `hookline topics check` lists them all", rest.count());
    match (findings.len() > SHOWN, errors) {
        (false, _) => Ok(()),
        (true, 0) => report.warn("topics", more),
        (true, _) => report.fail("topics", more),
    }
}

/// What can be tried without leaving anything behind.
pub async fn access(report: &mut Report, connection: &Connection, config: &Config) -> anyhow::Result<()> {
    let mut refused = Vec::new();
    let names = connection.names();
    let mut all: Vec<_> = kafka_log::topics::fixed(names, &connect::topic_settings(config))
        .into_iter()
        .map(|topic| topic.name)
        .collect();
    all.extend(config.configured_sources.iter().map(|source| source.topic.clone()));
    let groups = [
        (names.fanout_group(), names.ingest()),
        (names.dispatcher_group(), names.lanes()),
        (names.scheduler_group(), names.retry(1)),
        (names.clerk_group(), names.ledger_requests()),
    ];
    let described = async {
        let watermarks = Watermarks::new(connection)?;
        for topic in &all {
            // What is missing, or has no leader, other checks say.
            if let Err(error @ Error::Denied(_)) = watermarks.range(topic, 0).await {
                refused.push(error.to_string());
            }
        }
        for (group, topic) in &groups {
            let offsets = GroupOffsets::new(connection, group)?;
            let partition = TopicPartition::new(topic.as_str(), 0);
            if let Err(error @ Error::Denied(_)) = offsets.committed(vec![partition]).await {
                refused.push(format!("group {group}: {error}"));
            }
        }
        Ok::<_, Error>(())
    };
    if let Err(error) = described.await {
        return report.fail("access", error.to_string());
    }
    // Nothing is written with it: brokers only hand out a producer's number.
    let id = format!("{}doctor", names.prefix());
    if let Err(error) = TransactionalProducer::start(connection, &id).await {
        refused.push(format!("transactions: {error}"));
    }
    if refused.is_empty() {
        return report.ok(
            "access",
            format!(
                "{} topics and {} groups can be described, transactions begun; whether records may be written shows only \
                 when they are",
                all.len(),
                groups.len()
            ),
        );
    }
    let prefix = names.prefix();
    report.fail(
        "access",
        format!(
            "{}; allow Read, Write, Describe, Create, Delete, Alter and DescribeConfigs on topics, Read on groups, and \
             Write on transactional ids that begin with {prefix}, and Read on source topics",
            refused.join("; ")
        ),
    )
}
