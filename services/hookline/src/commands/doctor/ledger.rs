//! The ledger, the secrets in it, and the clerk.

use super::report::{Report, counted};
use crate::config::Config;
use crate::connect;
use kafka_log::Connection;
use ledger::entities::is_deleted;
use ledger::{Keyring, KeyringError, Kind, Ledger, View, WriteError, Writer};
use schemas::Endpoint;
use std::sync::Arc;
use std::time::Instant;

/// No job has this id: asked to remove it, a clerk says that there is none.
const NOBODYS_JOB: &str = "job_doctor";

/// What is in it, when it can be read.
pub async fn ledger(
    report: &mut Report,
    connection: &Connection,
    config: &Config,
) -> anyhow::Result<Option<Arc<View>>> {
    let ledger = match connect::ledger(connection, true).await {
        Ok(ledger) => ledger,
        Err(error) => {
            report.fail("ledger", format!("{error:#}"))?;
            return Ok(None);
        }
    };
    let view = ledger.view();
    contents(report, &view, config)?;
    clerk(report, connection, &ledger).await?;
    Ok(Some(view))
}

/// When anything in it was changed last, Unix milliseconds.
pub fn newest_ms(view: &View) -> Option<i64> {
    let changes = view
        .endpoints()
        .map(|endpoint| endpoint.updated_at_ms)
        .chain(view.tenants().map(|tenant| tenant.updated_at_ms));
    changes.max()
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
            "read to its end: {}, {}",
            counted(view.tenants().count(), "tenant"),
            counted(
                view.endpoints().filter(|endpoint| !is_deleted(endpoint)).count(),
                "endpoint"
            )
        ),
    )
}

/// The key, and whether it opens what is in the ledger.
pub fn secrets(report: &mut Report, view: Option<&View>, config: &Config) -> anyhow::Result<()> {
    let keyring = match connect::keyring(config) {
        Ok(keyring) => keyring,
        Err(error) => return report.fail("secrets", format!("{error:#}")),
    };
    let Some(view) = view else {
        return report.skip(
            "secrets",
            "secrets.key is a key; whether it opens endpoints' secrets shows when the ledger can be read",
        );
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
                "of {}, those of {} don't open, first {id}: {error}; nothing is delivered there until then",
                counted(all, "endpoint"),
                closed.len()
            ),
        ),
        (None, 0) if all == 0 => report.ok("secrets", "secrets.key is a key; no endpoint has a secret yet"),
        (None, 0) => {
            let all = counted(all, "endpoint");
            report.ok("secrets", format!("secrets.key opens those in the ledger, of {all}"))
        }
        (None, old) => report.warn(
            "secrets",
            format!(
                "of {}, those of {old} are encrypted with a key of secrets.previous_keys: run `hookline rekey`, then take it \
                 out",
                counted(all, "endpoint")
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
