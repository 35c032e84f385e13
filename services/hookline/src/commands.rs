//! The commands, one file a group.

pub mod completions;
pub mod config;
pub mod delivery;
pub mod dlq;
pub mod doctor;
pub mod endpoint;
pub mod event;
pub mod job;
pub mod key;
mod keygen;
pub mod ledger;
pub mod listen;
mod rekey;
pub mod serve;
pub mod tenant;
pub mod topics;

use crate::cli::{Arguments, Command};
use crate::connect;

/// Runs one command to its end.
///
/// # Errors
/// What went wrong, in words that say what to do next.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { config: file, command } = arguments;
    let file = file.as_deref();
    let required = match &command {
        Command::Serve(arguments) => arguments.required_keys(),
        _ => Vec::new(),
    };
    let config = || anyhow::Ok(connect::load(file, &required)?.config);
    if let Command::Serve(arguments) = command {
        return serve::run(&arguments, config()?).await;
    }
    // A command's own words are enough; what the Kafka client warns of helps when a broker can't be reached.
    runtime::logging::init(runtime::logging::Format::Text, "error")?;
    match command {
        Command::Config(command) => config::run(&command, file),
        Command::Keygen => keygen::run(),
        Command::Completions(shell) => completions::run(&shell),
        Command::Listen(listen) => listen::run(listen).await,
        Command::Doctor(doctor) => Box::pin(doctor::run(&doctor, file)).await,
        Command::Topics(command) => topics::run(&command, &config()?).await,
        Command::Tenant(command) => tenant::run(command, &config()?).await,
        Command::Key(command) => key::run(command, &config()?).await,
        Command::Endpoint(command) => Box::pin(endpoint::run(*command, &config()?)).await,
        Command::Event(command) => event::run(command, &config()?).await,
        Command::Delivery(command) => Box::pin(delivery::run(command, &config()?)).await,
        Command::Job(command) => job::run(command, &config()?).await,
        Command::Dlq(command) => dlq::run(command, &config()?).await,
        Command::Ledger(command) => Box::pin(ledger::run(command, &config()?)).await,
        Command::Rekey => rekey::run(&config()?).await,
        Command::Serve(_) => Ok(()),
    }
}

/// `--direct`, on everything that goes over the HTTP API.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct DirectFlag {
    /// Work over Kafka, not over the HTTP API: for first steps and emergencies (it needs kafka.brokers, and a running
    /// `hookline serve api` for changes)
    #[arg(long)]
    direct: bool,
}

/// `--tenant`, on what belongs to one.
#[derive(Debug, Clone, clap::Args)]
pub struct TenantFlag {
    /// Whose it is: with --direct, or to act for this tenant with the operator's key
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
}
