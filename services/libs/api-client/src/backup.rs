//! `/admin/v1/ledger`: export and import of the configuration. What the lines mean is the ledger's business.

use crate::{Client, Error};
use bytes::Bytes;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use std::{io::Write, time::Duration};

/// Thousands of changes, 30 ms each at the worst.
const TIMEOUT: Duration = Duration::from_secs(1800);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Overwrite what differs.
    pub replace: bool,
    /// Change nothing, only say what would be done.
    pub dry_run: bool,
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    pub created: usize,
    pub replaced: usize,
    pub unchanged: usize,
}

impl Client {
    /// Writes the export to `sink` as it comes; the number of bytes.
    ///
    /// # Errors
    /// Also when it breaks off; what `sink` has then is no export. Outer: the API's; inner: `sink`'s.
    pub async fn export_ledger(&self, sink: &mut (dyn Write + Send)) -> Result<std::io::Result<u64>, Error> {
        let call = self
            .call(Method::GET, &["admin", "v1", "ledger", "export"])?
            .within(TIMEOUT);
        let mut response = self.start(&call).await?;
        if !response.status().is_success() {
            let answer = self.whole(&call, response).await?;
            return Err(crate::client::refused(&answer));
        }
        let mut bytes = 0;
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            bytes += chunk.len() as u64;
            if let Err(error) = sink.write_all(&chunk) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(bytes))
    }

    /// Sends an export back. Repeating it changes nothing more.
    pub async fn import_ledger(&self, lines: Bytes, options: ImportOptions) -> Result<Imported, Error> {
        let mut call = self.call(Method::POST, &["admin", "v1", "ledger", "import"])?;
        for (name, wanted) in [("replace", options.replace), ("dryRun", options.dry_run)] {
            if wanted {
                call = call.query(name, "true");
            }
        }
        self.send(&call.lines(lines).within(TIMEOUT)).await?.read()
    }
}
