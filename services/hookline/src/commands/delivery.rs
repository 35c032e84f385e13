//! `hookline delivery` and `hookline event show`: the delivery log, over the HTTP API.

mod shown;

use super::TenantFlag;
use crate::api::{self, As};
use crate::config::Config;
use crate::failure::Usage;
use crate::output::{self, OutputFlag};
use crate::when;

use api_client::{Client, DeliveriesWanted};
use clap::Subcommand;
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List deliveries, newest first
    List(List),
    /// Show one delivery with its payload and every attempt
    Show(Show),
    /// Send one delivery again: the same event, as a new attempt
    Replay(Replay),
}

#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    tenant: TenantFlag,
    /// For this endpoint, also a deleted one
    #[arg(long, value_name = "ID")]
    endpoint: Option<String>,
    /// In this state alone
    #[arg(long, value_parser = ["pending", "delivered", "failed"])]
    status: Option<String>,
    /// Of this event type
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Of this event
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// Made at or after this: a time (2026-11-21T10:00:00Z), or so long ago (90s, 15m, 2h, 7d)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Made before this
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    output: OutputFlag,
}

#[derive(Debug, clap::Args)]
pub struct Show {
    /// dlv_…
    id: String,
    #[command(flatten)]
    tenant: TenantFlag,
    #[command(flatten)]
    output: OutputFlag,
}

#[derive(Debug, clap::Args)]
pub struct Replay {
    /// dlv_…
    id: String,
    /// Sent instead of the event's data, this once, JSON
    #[arg(long, value_name = "JSON")]
    payload: Option<String>,
    #[command(flatten)]
    tenant: TenantFlag,
    #[command(flatten)]
    output: OutputFlag,
}

#[derive(Debug, clap::Args)]
pub struct ShowEvent {
    /// evt_…, or its producer's own id
    id: String,
    #[command(flatten)]
    tenant: TenantFlag,
    #[command(flatten)]
    output: OutputFlag,
}

pub async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::List(list) => list_deliveries(&list, config).await,
        Command::Show(show) => show_delivery(&show, config).await,
        Command::Replay(replay) => replay_delivery(&replay, config).await,
    }
}

fn client(config: &Config, tenant: &TenantFlag) -> anyhow::Result<Client> {
    api::client(config, As::Tenant(tenant.tenant.as_deref()))
}

async fn list_deliveries(list: &List, config: &Config) -> anyhow::Result<()> {
    let wanted = DeliveriesWanted {
        endpoint_id: list.endpoint.clone(),
        status: list.status.clone(),
        event_type: list.event_type.clone(),
        event_id: list.event.clone(),
        from: when::to_rfc3339("--since", list.since.as_deref())?,
        to: when::to_rfc3339("--until", list.until.as_deref())?,
        limit: list.limit,
    };
    let rows = client(config, &list.tenant)?.deliveries(&wanted).await?;
    output::list(list.output.output, &rows)
}

async fn show_delivery(show: &Show, config: &Config) -> anyhow::Result<()> {
    let delivery = client(config, &show.tenant)?.delivery(&show.id).await?;
    let text = shown::in_full(&delivery);
    output::one(show.output.output, &json!({ "delivery": delivery }), &text)
}

async fn replay_delivery(replay: &Replay, config: &Config) -> anyhow::Result<()> {
    let payload: Option<Value> = match &replay.payload {
        None => None,
        Some(text) => {
            let payload = serde_json::from_str(text);
            Some(payload.map_err(|error| Usage::error(format!("--payload is no JSON: {error}")))?)
        }
    };
    let client = client(config, &replay.tenant)?;
    let delivery = client.replay_delivery(&replay.id, payload.as_ref()).await?;
    let text = format!("delivery {} is on its way again\n", delivery.id);
    output::one(replay.output.output, &json!({ "delivery": delivery }), &text)
}

/// `hookline event show`
pub async fn show_event(show: &ShowEvent, config: &Config) -> anyhow::Result<()> {
    let event = client(config, &show.tenant)?.event(&show.id).await?;
    output::one(show.output.output, &event, &shown::event(&event))
}
