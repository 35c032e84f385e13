//! Brokers, topics, and what this connection may do. Nothing is written to a topic.

use super::reach;
use super::report::{Report, counted};
use crate::commands::topics;
use crate::config::Config;
use crate::connect;
use kafka_log::topics::{Finding, Severity};
use kafka_log::{Admin, Connection, Error, GroupOffsets, TopicPartition, TransactionalProducer, Watermarks};
use std::time::Duration;

const CLUSTER_TIMEOUT: Duration = Duration::from_secs(10);
/// Beyond these `topics check` has the rest.
const SHOWN: usize = 5;
/// Topics of which the same is said: so many by name.
const NAMED: usize = 3;
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
            let why = match reach::why_not(&at).await {
                Some(why) => format!("{why}; check kafka.brokers and the network"),
                None => format!(
                    "{at} accepts connections, and doesn't answer as brokers do: {error}; is it Kafka, and does its listener \
                     want what kafka.properties has (security.protocol, sasl.*)?"
                ),
            };
            report.fail("brokers", format!("{why}; the checks that need Kafka were left out"))?;
            return Ok(false);
        }
    };
    report.ok("brokers", format!("{at} answers; cluster {cluster}"))?;
    if brokers < SAFE_BROKERS {
        report.warn(
            "cluster",
            format!(
                "{}: while one is away topics are, too, and a lost disk loses them; production needs {SAFE_BROKERS}, with \
                 replication 3",
                counted(brokers, "broker")
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
    let groups = grouped(&findings);
    for (severity, message) in groups.iter().take(SHOWN) {
        match severity {
            Severity::Error => report.fail("topics", message)?,
            Severity::Warning => report.warn("topics", message)?,
        }
    }
    let rest = groups.iter().skip(SHOWN);
    let errors = rest
        .clone()
        .filter(|(severity, _)| *severity == Severity::Error)
        .count();
    let more = format!("{} more; `hookline topics check` lists them all", rest.count());
    match (groups.len() > SHOWN, errors) {
        (false, _) => Ok(()),
        (true, 0) => report.warn("topics", more),
        (true, _) => report.fail("topics", more),
    }
}

/// What is said of several topics once, in the order in which it was found.
fn grouped(findings: &[Finding]) -> Vec<(Severity, String)> {
    let mut groups: Vec<(&Finding, Vec<&str>)> = Vec::new();
    for finding in findings {
        let same =
            |(first, _): &&mut (&Finding, _)| first.severity == finding.severity && first.message == finding.message;
        match groups.iter_mut().find(same) {
            Some((_, topics)) => topics.push(&finding.topic),
            None => groups.push((finding, vec![&finding.topic])),
        }
    }
    let said = groups.into_iter().map(|(first, topics)| {
        let named = topics.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        let message = match topics.len() {
            1 => format!("{named} {}", first.message),
            count if count <= NAMED => format!("{named}: each {}", first.message),
            count => format!("{named} and {} more: each {}", count - NAMED, first.message),
        };
        (first.severity, message)
    });
    said.collect()
}

/// What can be tried without leaving anything behind.
pub async fn access(report: &mut Report, connection: &Connection, config: &Config) -> anyhow::Result<()> {
    let (mut refused, mut there) = (Vec::new(), 0);
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
        (names.history_group(), names.log()),
    ];
    let described = async {
        let watermarks = Watermarks::new(connection)?;
        for topic in &all {
            // What is missing, or has no leader, other checks say.
            match watermarks.range(topic, 0).await {
                Ok(_) => there += 1,
                Err(error @ Error::Denied(_)) => refused.push(error.to_string()),
                Err(_) => {}
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
        let missing = if there < all.len() {
            " (the others aren't there yet)"
        } else {
            ""
        };
        return report.ok(
            "access",
            format!(
                "{there} of {} topics{missing} and {} groups can be described, transactions begun; whether records may be \
                 written shows only when they are",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_many_topics_is_said_once() {
        let finding = |topic: &str, message: &str| Finding {
            severity: Severity::Error,
            topic: topic.to_owned(),
            message: message.to_owned(),
        };
        let mut findings = vec![
            finding("a", "is missing"),
            finding("b", "has 3"),
            finding("c", "is missing"),
        ];
        let said = |findings: &[Finding]| grouped(findings).into_iter().map(|(_, said)| said).collect::<Vec<_>>();
        assert_eq!(said(&findings), ["a, c: each is missing", "b has 3"]);
        findings.extend(["d", "e"].map(|topic| finding(topic, "is missing")));
        assert_eq!(said(&findings), ["a, c, d and 1 more: each is missing", "b has 3"]);
    }
}
