//! `hookline config`: check, show, default. Nothing here needs a broker.

use crate::config::Config;
use crate::{config, connect, output};
use clap::Subcommand;
use std::path::Path;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Validate the file and the environment, and report everything that is wrong
    Check,
    /// Print the merged configuration, secrets redacted, with where each value was set
    Show,
    /// Print a commented default file
    Default,
}

pub fn run(command: &Command, file: Option<&Path>) -> anyhow::Result<()> {
    match command {
        Command::Default => output::line(config::default_file().trim_end()),
        Command::Show => output::line(connect::load(file, &[])?.shown().trim_end()),
        Command::Check => check(&connect::load(file, &["secrets.key"])?.config),
    }
}

fn check(config: &Config) -> anyhow::Result<()> {
    connect::keyring(config)?;
    for source in config.sources() {
        if source.trusts_its_writers() {
            eprintln!("note: {}", source.warning());
        }
    }
    if config.api.operator_key.is_none() {
        eprintln!("note: api.operator_key is not set; role api needs it");
    }
    output::line("the configuration is valid")
}
