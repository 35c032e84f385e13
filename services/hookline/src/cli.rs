//! The command line: which commands there are. What each takes stands beside it in `commands/`.

use crate::commands::{completions, config, dlq, doctor, endpoint, event, key, ledger, listen, serve, tenant, topics};
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Delivers domain events from Kafka to HTTPS endpoints
#[derive(Debug, Parser)]
#[command(name = "hookline", version, arg_required_else_help = true, propagate_version = true)]
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
    /// Publish events
    #[command(subcommand)]
    Event(event::Command),
    /// Dead letters: see what could not be delivered, and send it again
    #[command(subcommand)]
    Dlq(dlq::Command),
    /// Back up and restore the configuration: tenants, keys, endpoints, event types
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Receive deliveries on this machine, verify their signatures, and show what arrives
    Listen(listen::Listen),
    /// Check brokers, topics, access, secrets, clocks and egress policy, and say what to do
    Doctor(doctor::Doctor),
    /// Print completions for a shell
    Completions(completions::Completions),
    /// Encrypt every secret with the present secrets.key, so that secrets.previous_keys can go
    Rekey,
}
