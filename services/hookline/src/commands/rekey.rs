//! `hookline rekey`: every secret encrypted with the present `secrets.key`.

use crate::config::Config;
use crate::connect::{self, Direct};
use crate::output;
use anyhow::Context as _;

pub async fn run(config: &Config) -> anyhow::Result<()> {
    let keyring = connect::keyring(config)?;
    let direct = Direct::start(config).await?;
    let changed = ledger::rekey(&direct.writer, &direct.ledger, &keyring).await.context(
        "not every secret was encrypted anew; what was done stays done, so run it again once this is mended",
    )?;
    output::line(format!(
        "{changed} endpoints were encrypted anew with key {}; secrets.previous_keys may be removed now",
        keyring.key_id()
    ))
}
