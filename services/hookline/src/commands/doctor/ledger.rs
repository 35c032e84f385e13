//! The ledger, the secrets in it, and the clerk.

use super::report::Report;
use crate::config::Config;
use crate::connect;
use kafka_log::Connection;
use ledger::entities::is_deleted;
use ledger::{Keyring, KeyringError, Kind, Ledger, View, WriteError, Writer};
use schemas::Endpoint;
use std::time::Instant;

/// No job has this id: asked to remove it, a clerk says that there is none.
const NOBODYS_JOB: &str = "job_doctor";

/// When anything in it was changed last, Unix milliseconds.
pub async fn ledger(report: &mut Report, connection: &Connection, config: &Config) -> anyhow::Result<Option<i64>> {
    let ledger = match connect::ledger(connection, true).await {
        Ok(ledger) => ledger,
        Err(error) => {
            report.fail("ledger", format!("{error:#}"))?;
            return Ok(None);
        }
    };
    let view = ledger.view();
    contents(report, &view, config)?;
    secrets(report, &view, config)?;
    clerk(report, connection, &ledger).await?;
    let changes = view
        .endpoints()
        .map(|endpoint| endpoint.updated_at_ms)
        .chain(view.tenants().map(|tenant| tenant.updated_at_ms));
    Ok(changes.max())
}

fn contents(report: &mut Report, view: &View, config: &Config) -> anyhow::Result<()> {
    let Some(installation) = view.installation() else {
        return report.warn(
            "ledger",
            "it can be read, and nothing is in it yet: start `hookline serve api`",
        );
    };
    let (installed, configured) = (installation.lanes, config.kafka.lanes);
    if installed != configured {
        return report.fail(
            "ledger",
            format!(
                "kafka.lanes is {configured}, and this installation was started with {installed}: set it back, it is fixed \
                 at first start"
            ),
        );
    }
    report.ok(
        "ledger",
        format!(
            "read to its end: {} tenants, {} endpoints",
            view.tenants().count(),
            view.endpoints().filter(|endpoint| !is_deleted(endpoint)).count()
        ),
    )
}

fn secrets(report: &mut Report, view: &View, config: &Config) -> anyhow::Result<()> {
    let keyring = match connect::keyring(config) {
        Ok(keyring) => keyring,
        Err(error) => return report.fail("secrets", format!("{error:#}")),
    };
    let (mut closed, mut old, mut all) = (Vec::new(), 0_usize, 0_usize);
    for endpoint in view.endpoints().filter(|endpoint| !is_deleted(endpoint)) {
        all += 1;
        match open(endpoint, &keyring) {
            Err(error) => closed.push((endpoint.id.clone(), error)),
            Ok(()) => old += usize::from(!keyring.is_current(&endpoint.signing_secret)),
        }
    }
    match (closed.first(), old) {
        (Some((id, error)), _) => report.fail(
            "secrets",
            format!(
                "those of {} of {all} endpoints don't open, first {id}: {error}; nothing is delivered there until secrets.key \
                 or secrets.previous_keys holds the key that they were encrypted with",
                closed.len()
            ),
        ),
        (None, 0) => report.ok("secrets", format!("secrets.key opens those of all {all} endpoints")),
        (None, old) => report.warn(
            "secrets",
            format!(
                "those of {old} of {all} endpoints are encrypted with a key of secrets.previous_keys: run `hookline rekey`, \
                 then take it out"
            ),
        ),
    }
}

/// All of them, also those that have expired.
fn open(endpoint: &Endpoint, keyring: &Keyring) -> Result<(), KeyringError> {
    ledger::open_signing_secrets(endpoint, keyring, i64::MIN)?;
    ledger::open_signing_keys(endpoint, keyring, i64::MIN)?;
    ledger::open_headers(endpoint, keyring)?;
    Ok(())
}

async fn clerk(report: &mut Report, connection: &Connection, ledger: &Ledger) -> anyhow::Result<()> {
    let writer = match Writer::start(connection, ledger).await {
        Ok(writer) => writer,
        Err(error) => return report.fail("clerk", error.to_string()),
    };
    let asked = Instant::now();
    match writer.remove(Kind::Job, NOBODYS_JOB, None).await {
        Ok(()) | Err(WriteError::Refused { .. } | WriteError::Conflict { .. }) => {
            report.ok("clerk", format!("it answered after {} ms", asked.elapsed().as_millis()))
        }
        Err(WriteError::NoClerk) => report.fail(
            "clerk",
            "none answered in time, so nothing can be changed: start `hookline serve api`",
        ),
        Err(error) => report.fail("clerk", error.to_string()),
    }
}
