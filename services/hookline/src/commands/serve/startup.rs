//! What must be there before a role starts: brokers that answer, topics, the ledger, the record schemas. Each is waited
//! for as long as waiting can help, and the log says for what.

use crate::commands::topics;
use crate::config::Config;
use anyhow::bail;
use kafka_log::topics::{Applied, Finding, Severity};
use kafka_log::{Admin, Connection};
use ledger::{Ledger, WriteError, Writer};
use std::time::Duration;

/// Between two tries of what isn't there yet.
const PAUSE: Duration = Duration::from_secs(1);

/// Topics as they should be: made when `apply`, else waited for.
pub async fn topics(connection: &Connection, config: &Config, apply: bool) -> anyhow::Result<()> {
    let admin = Admin::new(connection)?;
    if apply {
        apply_topics(&admin, config).await?;
    }
    loop {
        match missing(&admin, config).await {
            Ok(missing) if missing.is_empty() => break,
            Ok(missing) => tracing::warn!(
                missing = missing.len(),
                topics = missing[..missing.len().min(5)].join(","),
                "waiting for topics that are missing; run `hookline topics apply` (source topics other than the default \
                 one are made by whoever owns them)"
            ),
            Err(error) if error.may_pass() => tracing::warn!(%error, "waiting for kafka"),
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(PAUSE).await;
    }
    loop {
        match look(&admin, config).await {
            Ok((wrong, findings)) => return judge(wrong, findings),
            Err(error) if error.may_pass() => tracing::warn!(%error, "waiting for kafka"),
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn missing(admin: &Admin, config: &Config) -> Result<Vec<String>, kafka_log::Error> {
    let existing = admin.topics("").await?;
    let wanted = topics::wanted(admin, config).await?.into_iter().map(|topic| topic.name);
    let sources = config.sources().into_iter().map(|source| source.topic);
    Ok(wanted
        .chain(sources)
        .filter(|topic| !existing.contains_key(topic))
        .collect())
}

async fn apply_topics(admin: &Admin, config: &Config) -> anyhow::Result<()> {
    loop {
        match topics::apply(admin, config).await {
            Ok(applied) => {
                for change in &applied {
                    match change {
                        Applied::Created(topic) => tracing::info!(topic, "made"),
                        other => tracing::warn!("{}", topics::describe(other)),
                    }
                }
                return Ok(());
            }
            Err(error) if error.is_retryable() => tracing::warn!(%error, "waiting for kafka"),
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The first topic with a wrong number of partitions, and everything else that is not as it should be.
async fn look(admin: &Admin, config: &Config) -> Result<(Option<Applied>, Vec<Finding>), kafka_log::Error> {
    let existing = admin.topics("").await?;
    let wrong = topics::wanted(admin, config).await?.into_iter().find_map(|topic| {
        // A topic that was deleted meanwhile is the roles' to complain of.
        let has = existing.get(&topic.name)?.partitions;
        (has != topic.partitions).then_some(Applied::WrongPartitions(topic.name, has, topic.partitions))
    });
    Ok((wrong, topics::check(admin, config).await?))
}

/// A wrong number of partitions stops the start: records would be looked for where they aren't. Anything else can be
/// mended while it runs.
fn judge(wrong: Option<Applied>, findings: Vec<Finding>) -> anyhow::Result<()> {
    if let Some(wrong) = wrong {
        bail!("a topic can't be used: {}", topics::describe(&wrong));
    }
    for Finding {
        severity,
        topic,
        message,
    } in findings
    {
        match severity {
            Severity::Error => tracing::error!(topic, message, "a topic is not as it should be"),
            Severity::Warning => {
                tracing::warn!(topic, message, "a topic is less safe than it could be")
            }
        }
    }
    Ok(())
}

/// The view of the ledger, read to its end once, and the way to ask for changes of it.
pub async fn ledger(connection: &Connection, with_secrets: bool) -> anyhow::Result<(Ledger, Writer)> {
    loop {
        match open_ledger(connection, with_secrets).await {
            Ok(opened) => return Ok(opened),
            Err(error) if error.may_pass() => tracing::warn!(%error, "waiting for the ledger"),
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn open_ledger(connection: &Connection, with_secrets: bool) -> Result<(Ledger, Writer), ledger::Error> {
    let ledger = if with_secrets {
        Ledger::start(connection).await?
    } else {
        Ledger::start_without_secrets(connection).await?
    };
    let writer = Writer::start(connection, &ledger).await?;
    Ok((ledger, writer))
}

/// This build's record schemas in the ledger, for which a clerk is needed.
pub async fn register_schemas(writer: &Writer) -> anyhow::Result<()> {
    loop {
        match writer.register_schemas().await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_retryable() || matches!(&error, WriteError::Kafka(error) if error.may_pass()) => {
                tracing::warn!(%error, "waiting for a clerk to register record schemas before anything is written");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
