//! Whether the delivery log's database can be asked, and who may use it.

use super::report::Report;
use crate::config::Config;
use history_store::{Error, Store};
use std::path::Path;

pub async fn history(report: &mut Report, config: &Config) -> anyhow::Result<()> {
    let url = config.history.url.reveal();
    let is_shared = match Store::is_shared(url) {
        Ok(is_shared) => is_shared,
        Err(error) => return report.fail("history", error.to_string()),
    };
    // Opening a file would make it.
    if !is_shared && !file_of(url).is_some_and(|file| Path::new(file).exists()) {
        return report.ok(
            "history",
            "a file that isn't here: it is made by the one process that runs api and history; for several processes set \
             history.url to Postgres",
        );
    }
    let store = Store::new(url)?;
    let checked = store.check().await;
    store.close().await;
    match checked {
        Ok(()) if is_shared => report.ok("history", "Postgres answers, and has the delivery log"),
        Ok(()) => report.ok(
            "history",
            "a file on this machine: one process alone can run api and history with it",
        ),
        Err(error @ Error::NoTables) => report.warn("history", format!("{error}; run `hookline serve history`")),
        Err(error) => report.fail(
            "history",
            format!("{error}; correct history.url, or see why it doesn't answer"),
        ),
    }
}

/// `sqlite://<file>?…`
fn file_of(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    path.split('?').next()
}
