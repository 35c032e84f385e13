//! The commands, one file a group.

pub mod config;
pub mod dlq;
pub mod endpoint;
pub mod event;
pub mod key;
mod keygen;
mod rekey;
pub mod serve;
pub mod tenant;
pub mod topics;

use crate::cli::{Arguments, Command};
use crate::connect;
use crate::failure::Usage;

/// Runs one command to its end.
///
/// # Errors
/// What went wrong, in words that say what to do next.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Config(command) => return config::run(&command, arguments.config.as_deref()),
        Command::Keygen => return keygen::run(),
        _ => {}
    }
    let required = match &arguments.command {
        Command::Serve(arguments) => arguments.required_keys(),
        _ => Vec::new(),
    };
    let config = connect::load(arguments.config.as_deref(), &required)?.config;
    if let Command::Serve(arguments) = arguments.command {
        return serve::run(&arguments, config).await;
    }
    // A command's own words are enough; what the Kafka client warns of helps when a broker can't be reached.
    runtime::logging::init(runtime::logging::Format::Text, "error")?;
    match arguments.command {
        Command::Topics(command) => topics::run(&command, &config).await,
        Command::Tenant(command) => tenant::run(command, &config).await,
        Command::Key(command) => key::run(command, &config).await,
        Command::Endpoint(command) => Box::pin(endpoint::run(*command, &config)).await,
        Command::Event(command) => event::run(command, &config).await,
        Command::Dlq(command) => dlq::run(command, &config).await,
        Command::Rekey => rekey::run(&config).await,
        Command::Config(_) | Command::Keygen | Command::Serve(_) => Ok(()),
    }
}

/// `--direct`, on everything that will go over the HTTP API.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct DirectFlag {
    /// Work over Kafka, not over the HTTP API: for first steps and emergencies
    #[arg(long)]
    direct: bool,
}

impl DirectFlag {
    /// Refuses what this version can't do yet.
    pub fn require(self) -> anyhow::Result<()> {
        if self.direct {
            return Ok(());
        }
        Err(Usage::error(
            "the HTTP API comes with a later version; add --direct to work over Kafka (it needs kafka.brokers and a \
             running `hookline serve api`)",
        ))
    }
}
