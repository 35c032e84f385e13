//! The directory of an installation's logs: gone with it when all went well, kept and shown when a test panics.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::process::tail;

/// Set to anything to keep all logs.
const KEEP_VARIABLE: &str = "HOOKLINE_TEST_KEEP_LOGS";

#[derive(Debug)]
pub(super) struct Logs {
    dir: Option<TempDir>,
    path: PathBuf,
}

impl Logs {
    pub(super) fn start(prefix: &str) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix(&format!("hookline-{prefix}"))
            .tempdir()?;
        let path = dir.path().to_owned();
        let mut logs = Self { dir: Some(dir), path };
        if std::env::var_os(KEEP_VARIABLE).is_some() {
            logs.keep();
        }
        Ok(logs)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.path
    }

    pub(super) fn keep(&mut self) {
        if let Some(dir) = self.dir.take() {
            let _ = dir.keep();
        }
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        self.keep();
        let logs = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        let is_log = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "log");
        for log in logs.map(|entry| entry.path()).filter(is_log) {
            eprintln!("{}\n", tail(&log));
        }
    }
}
