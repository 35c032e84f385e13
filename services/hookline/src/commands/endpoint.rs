//! `hookline endpoint`: makes, lists, shows, changes, tests, deletes endpoints and rotates their secrets, over the HTTP API
//! or, with `--direct`, over Kafka. Here are the commands; which settings there are as flags is in `flags`.

mod change;
mod direct;
mod flags;
mod over_api;
mod secret;
mod shown;

use super::{DirectFlag, TenantFlag};
use crate::config::Config;
use crate::failure::Usage;
use crate::output::OutputFlag;
use clap::Subcommand;
use flags::{Fields, Unset};
use ledger::View;
use secret::SigningSecretFlags;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an endpoint and print its signing secret, this once
    Create(Create),
    /// List endpoints, without secrets
    List(List),
    /// Show one endpoint, without secrets
    Get(One),
    /// Change what is given; what is left out stays
    Update(Update),
    /// Delete an endpoint: nothing more is sent to it
    Delete(Which),
    /// Make a new signing secret and print it, this once; the old one goes on signing too for a while
    RotateSecret(RotateSecret),
    /// Have one signed request sent now, and show what the receiver made of it; exit status 1 when it wasn't accepted
    Test(Test),
    /// Send again what failed, what is missing, or all of a time: as a job, whose progress is shown until it has ended
    Replay(super::job::Replay),
}

#[derive(Debug, clap::Args)]
pub struct Create {
    #[command(flatten)]
    tenant: TenantFlag,
    #[command(flatten)]
    fields: Fields,
    /// With --direct, scopes that it is made with: what wildcards cover, and what a key needs to change it; every scope of
    /// the tenant's catalogs when left out. Over the API they are those of the key
    #[arg(long, alias = "scope", value_delimiter = ',', requires = "direct")]
    scopes: Option<Vec<String>>,
    #[command(flatten)]
    secret: SigningSecretFlags,
    #[command(flatten)]
    direct: DirectFlag,
    #[command(flatten)]
    output: OutputFlag,
}

#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    tenant: TenantFlag,
    /// In this state alone
    #[arg(long, value_parser = ["active", "paused", "disabled", "auto_disabled"])]
    status: Option<String>,
    #[command(flatten)]
    direct: DirectFlag,
    #[command(flatten)]
    output: OutputFlag,
}

#[derive(Debug, clap::Args)]
pub struct Which {
    /// wh_…
    id: String,
    #[command(flatten)]
    tenant: TenantFlag,
    #[command(flatten)]
    direct: DirectFlag,
}

#[derive(Debug, clap::Args)]
pub struct One {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    output: OutputFlag,
}

#[derive(Debug, clap::Args)]
pub struct Update {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    fields: Fields,
    /// Take these settings back to their defaults
    #[arg(long, value_enum, value_delimiter = ',')]
    unset: Vec<Unset>,
    #[command(flatten)]
    output: OutputFlag,
}

#[derive(Debug, clap::Args)]
pub struct RotateSecret {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    secret: SigningSecretFlags,
    /// How long the old secret goes on signing too; 0 ends it, and all that are older, at once
    #[arg(long, alias = "previous-secret-expires-in", value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(i64).range(0..=2_592_000))]
    previous_secret_expires_in_sec: i64,
    #[command(flatten)]
    output: OutputFlag,
}

/// The API sends it: there is no `--direct`.
#[derive(Debug, clap::Args)]
pub struct Test {
    /// wh_…
    id: String,
    #[command(flatten)]
    tenant: TenantFlag,
    /// The event's type; webhook.test when left out
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// The event's data, JSON
    #[arg(long, value_name = "JSON", conflicts_with = "payload_file")]
    payload: Option<String>,
    /// A file with the event's data, JSON; - is stdin
    #[arg(long, value_name = "FILE")]
    payload_file: Option<PathBuf>,
    #[command(flatten)]
    output: OutputFlag,
}

/// Refuses scopes that no event type needs: misspelt, one would cover nothing without a word.
pub fn require_known_scopes(view: &View, scopes: &[String]) -> anyhow::Result<()> {
    let (rejected, known) = endpoint_settings::rejected_scopes(&change::catalogs(view), scopes);
    match rejected.first() {
        None => Ok(()),
        Some(unknown) => Err(Usage::error(format!(
            "--scopes: there is no scope `{unknown}`; use {}",
            known.join(", ")
        ))),
    }
}

pub async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Create(create) if create.direct.direct => direct::create(create, config).await,
        Command::Create(create) => over_api::create(create, config).await,
        Command::List(list) if list.direct.direct => direct::list(&list, config).await,
        Command::List(list) => over_api::list(&list, config).await,
        Command::Get(one) if one.which.direct.direct => direct::get(&one, config).await,
        Command::Get(one) => over_api::get(&one, config).await,
        Command::Update(update) if update.which.direct.direct => direct::update(&update, config).await,
        Command::Update(update) => over_api::update(&update, config).await,
        Command::Delete(which) if which.direct.direct => direct::delete(&which, config).await,
        Command::Delete(which) => over_api::delete(&which, config).await,
        Command::RotateSecret(rotate) if rotate.which.direct.direct => direct::rotate_secret(&rotate, config).await,
        Command::RotateSecret(rotate) => over_api::rotate_secret(&rotate, config).await,
        Command::Test(test) => over_api::test(&test, config).await,
        Command::Replay(replay) => super::job::replay(&replay, config).await,
    }
}
