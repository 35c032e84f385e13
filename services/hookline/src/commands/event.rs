//! `hookline event`: shows what became of one, and publishes events, one JSON text a line: to a source topic, or over the HTTP API. A line that would be
//! rejected is reported with its number and not sent; the others are.

mod lines;
mod over_api;
mod to_kafka;

use crate::config::Config;
use crate::failure::AlreadySaid;
use crate::output;
use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send JSON lines from a file or stdin to a source topic, or over the HTTP API, and wait until Kafka has them
    Send(Send),
    /// Show an event, its deliveries, and why every other endpoint has none
    Show(super::delivery::ShowEvent),
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LineFormat {
    /// {"id","type","tenant","occurred_at","data"}
    #[value(name = "hookline_json", alias = "hookline")]
    HooklineJson,
    /// {"event_type","payload"}
    #[value(name = "event_payload")]
    EventPayload,
}

#[derive(Debug, clap::Args)]
pub struct Send {
    /// One JSON text a line; stdin when left out, or -
    file: Option<PathBuf>,
    /// Source topic; the first one of sources[] that takes the format when left out
    #[arg(long, conflicts_with = "http")]
    topic: Option<String>,
    /// What a line is
    #[arg(long, value_enum, default_value = "hookline_json", conflicts_with = "http")]
    format: LineFormat,
    /// Sets the header hookline-tenant, for a source whose tenant is a header; with --http, the tenant to act for with the
    /// operator's key
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Over the HTTP API (HOOKLINE_URL, HOOKLINE_API_KEY) instead of straight to Kafka
    #[arg(long)]
    http: bool,
}

pub async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Send(send) if send.http => send.over_api(config).await,
        Command::Send(send) => send.to_kafka(config).await,
        Command::Show(show) => super::delivery::show_event(&show, config).await,
    }
}

/// What came of the lines.
#[derive(Debug, Default)]
struct Counts {
    sent: u64,
    bad: u64,
    failed: u64,
}

fn conclude(counts: &Counts, topic: &str) -> anyhow::Result<()> {
    output::line(format!("{} events sent to {topic}", counts.sent))?;
    if counts.bad > 0 {
        eprintln!(
            "{} lines are no events and were not sent; correct them and send those lines again",
            counts.bad
        );
    }
    if counts.failed > 0 {
        eprintln!(
            "{} events were not acknowledged and may be missing; send those lines again",
            counts.failed
        );
    }
    if counts.bad + counts.failed > 0 {
        Err(AlreadySaid.into())
    } else {
        Ok(())
    }
}
