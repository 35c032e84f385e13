//! `hookline doctor`: looks at everything that a running installation rests on, changes nothing, and says what to do. What
//! each check looks at is in `doctor/`, one file a subject; topics' settings are `topics check`'s.

mod api;
mod egress;
mod history;
mod kafka;
mod ledger;
mod reach;
mod report;

use crate::config::Config;
use crate::connect;
use crate::failure::AlreadySaid;
use crate::output::OutputFlag;
use report::Report;
use std::path::Path;

#[derive(Debug, clap::Args)]
pub struct Doctor {
    #[command(flatten)]
    output: OutputFlag,
}

pub async fn run(doctor: &Doctor, file: Option<&Path>) -> anyhow::Result<()> {
    let mut report = Report::new(doctor.output.output);
    match connect::load(file, &[]) {
        Ok(loaded) => {
            report.ok("configuration", "it can be read, and every key is known")?;
            Box::pin(examine(&mut report, &loaded.config)).await?;
        }
        Err(error) => report.fail("configuration", format!("{error:#}"))?,
    }
    if report.finish()? {
        Ok(())
    } else {
        Err(AlreadySaid.into())
    }
}

async fn examine(report: &mut Report, config: &Config) -> anyhow::Result<()> {
    sources(report, config)?;
    let connection = connect::connection(config);
    let mut view = None;
    if kafka::brokers(report, &connection).await? {
        kafka::topics(report, &connection, config).await?;
        kafka::access(report, &connection, config).await?;
        view = ledger::ledger(report, &connection, config).await?;
    }
    ledger::secrets(report, view.as_deref(), config)?;
    report.ok(
        "registry",
        "none is needed: record schemas are in the ledger (schema_registry.* comes with a later version)",
    )?;
    history::history(report, config).await?;
    egress::policy(report, config)?;
    egress::proxy(report, config).await?;
    let clock = api::api(report, config).await?;
    let newest_ms = view.as_deref().and_then(ledger::newest_ms);
    api::clock(report, config, clock, newest_ms)
}

/// Who may speak for which tenant.
fn sources(report: &mut Report, config: &Config) -> anyhow::Result<()> {
    let sources = config.sources();
    for source in sources.iter().filter(|source| source.trusts_its_writers()) {
        report.warn("sources", source.warning())?;
    }
    if !sources.iter().any(|source| source.trusts_its_writers()) {
        report.ok("sources", "each source topic speaks for one tenant")?;
    }
    Ok(())
}
