//! `hookline topics`: creates or verifies every topic of the installation and its settings.

use crate::config::Config;
use crate::{connect, output};
use anyhow::bail;
use clap::Subcommand;
use kafka_log::Admin;
use kafka_log::topics::{self, Applied, Finding, Severity, TopicSpec};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create the topics that are missing and correct the settings that differ
    Apply,
    /// Compare the topics and their settings with what they should be; exit status 1 when work or data is endangered
    Check,
}

pub async fn run(command: &Command, config: &Config) -> anyhow::Result<()> {
    let admin = Admin::new(&connect::connection(config))?;
    match command {
        Command::Apply => apply_and_say(&admin, config).await,
        Command::Check => check_and_say(&admin, config).await,
    }
}

/// Every topic that there should be, dedicated ones that exist included. The default source topic is made when it is
/// missing; one that is there is its producers', with the partitions and settings that they chose.
pub async fn wanted(admin: &Admin, config: &Config) -> Result<Vec<TopicSpec>, kafka_log::Error> {
    let connection = connect::connection(config);
    let names = connection.names();
    let existing = admin.topics(names.prefix()).await?;
    let mut wanted = topics::fixed(names, &connect::topic_settings(config));
    wanted.retain(|topic| topic.name != names.events() || !existing.contains_key(&topic.name));
    let dedicated = existing
        .into_keys()
        .filter(|topic| names.parse_endpoint(topic).is_some());
    wanted.extend(dedicated.map(topics::endpoint_topic));
    Ok(wanted)
}

/// Creates and corrects.
pub async fn apply(admin: &Admin, config: &Config) -> Result<Vec<Applied>, kafka_log::Error> {
    topics::apply(admin, &connect::topic_settings(config), &wanted(admin, config).await?).await
}

/// What is not as it should be, source topics included.
pub async fn check(admin: &Admin, config: &Config) -> Result<Vec<Finding>, kafka_log::Error> {
    let mut findings = topics::check(admin, &wanted(admin, config).await?).await?;
    let existing = admin.topics("").await?;
    let missing = config
        .configured_sources
        .iter()
        .filter(|source| !existing.contains_key(&source.topic));
    let missing = missing.map(|source| Finding {
        severity: Severity::Error,
        topic: source.topic.clone(),
        message: "is a source (sources[]) and is missing; create it with the partitions that its producers need, or \
                  correct its name"
            .to_owned(),
    });
    findings.splice(0..0, missing);
    let sources = config.sources();
    let there = sources.iter().map(|source| source.topic.as_str());
    let there: Vec<&str> = there.filter(|source| existing.contains_key(*source)).collect();
    for (topic, settings) in admin.settings(&there).await? {
        findings.extend(topics::check_source(&topic, &settings));
    }
    Ok(findings)
}

/// One line for what was done.
pub fn describe(applied: &Applied) -> String {
    match applied {
        Applied::Created(topic) => format!("created  {topic}"),
        Applied::Changed(topic, setting, from, to) => {
            format!("changed  {topic}: {setting} from {from} to {to}")
        }
        Applied::WrongPartitions(topic, has, wants) => {
            format!(
                "wrong    {topic} has {has} partitions, not {wants}: they can't be changed without moving keys; set \
                 kafka.lanes to what it was at first, or recreate the topic"
            )
        }
    }
}

async fn apply_and_say(admin: &Admin, config: &Config) -> anyhow::Result<()> {
    let applied = apply(admin, config).await?;
    for change in &applied {
        output::line(describe(change))?;
    }
    let is_wrong = |change: &&Applied| matches!(change, Applied::WrongPartitions(..));
    let wrong = applied.iter().filter(is_wrong).count();
    if wrong > 0 {
        bail!("{wrong} topics have another number of partitions than they should; what to do is said with each");
    }
    if applied.is_empty() {
        output::line("all topics are as they should be")?;
    }
    Ok(())
}

async fn check_and_say(admin: &Admin, config: &Config) -> anyhow::Result<()> {
    let findings = connect::patiently(async || check(admin, config).await).await?;
    for Finding {
        severity,
        topic,
        message,
    } in &findings
    {
        let severity = if *severity == Severity::Error {
            "error"
        } else {
            "warning"
        };
        output::line(format!("{severity}: topic {topic} {message}"))?;
    }
    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    let errors = findings.iter().filter(is_error).count();
    if errors > 0 {
        bail!("{errors} errors, which can lose events or deliveries; `hookline topics apply` mends what can be mended");
    }
    if findings.is_empty() {
        output::line("all topics are as they should be")?;
    }
    Ok(())
}
