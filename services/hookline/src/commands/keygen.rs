//! `hookline keygen`: a new value for `secrets.key`.

use crate::output;

pub fn run() -> anyhow::Result<()> {
    output::line(ledger::Keyring::generate_key())
}
