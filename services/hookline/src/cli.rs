//! The command line: which commands there are. What each takes stands beside it in `commands/`.

use crate::commands::{
    completions, config, delivery, dlq, doctor, endpoint, event, job, key, ledger, listen, serve, tenant, topics,
};
use clap::{Parser, Subcommand};
use std::path::PathBuf;

const API: &str = "Over the HTTP API (tenant, key, endpoint, delivery, event show, job, ledger, event send --http):
  HOOKLINE_URL      where it is; this configuration's api.listen, http://127.0.0.1:8080, when not set
  HOOKLINE_API_KEY  a tenant's key; for tenant, key and ledger, or with --tenant, the operator's (api.operator_key serves, too)";

/// Delivers domain events from Kafka to HTTPS endpoints
#[derive(Debug, Parser)]
#[command(name = "hookline", version, arg_required_else_help = true, propagate_version = true, after_help = API)]
pub struct Arguments {
    /// Configuration file (TOML); environment variables HOOKLINE_… win over it
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one or more roles until SIGTERM
    Serve(serve::Arguments),
    /// Create or verify Kafka's topics and their settings
    #[command(subcommand)]
    Topics(topics::Command),
    /// Check, show or write configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Print a new value for secrets.key
    Keygen,
    /// Tenants: the organizations that own endpoints, keys and events
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// API keys of a tenant
    #[command(subcommand)]
    Key(key::Command),
    /// Endpoints: a tenant's URLs with their filters, secrets and limits
    #[command(subcommand)]
    Endpoint(Box<endpoint::Command>),
    /// Publish events, and see what became of them
    #[command(subcommand)]
    Event(event::Command),
    /// The delivery log: what became of each event for each endpoint, and once more
    #[command(subcommand)]
    Delivery(delivery::Command),
    /// Long work, such as the replay of an endpoint
    #[command(subcommand)]
    Job(job::Command),
    /// Dead letters: see what could not be delivered, and send it again
    #[command(subcommand)]
    Dlq(dlq::Command),
    /// Back up and restore the configuration: tenants, keys, endpoints, event types
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Receive deliveries on this machine, verify their signatures, and show what arrives
    ///
    /// A request whose signature doesn't verify is answered 401 and shown with the reason. Without a secret or public key
    /// nothing is verified.
    Listen(listen::Listen),
    /// Check brokers, topics, access, secrets, clocks and egress policy, and say what to do
    ///
    /// A line for all that was found: ok, warn, fail or skip, the check's name, and what to do; exit status 1 when one
    /// fails. It changes no setting, and leaves nothing behind.
    Doctor(doctor::Doctor),
    /// Print completions for a shell
    ///
    /// Such as `hookline completions bash > /etc/bash_completion.d/hookline`.
    Completions(completions::Completions),
    /// Encrypt every secret with the present secrets.key, so that secrets.previous_keys can go
    Rekey,
}
