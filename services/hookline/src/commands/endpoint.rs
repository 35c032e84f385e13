//! `hookline endpoint`: makes, lists, shows, changes, deletes endpoints and rotates their secrets. A secret is printed
//! once, when it is made. Which flags there are, and what they do to an endpoint, is in `flags`.

mod change;
mod flags;
mod secret;
mod shown;

use super::DirectFlag;
use crate::config::Config;
use crate::connect::{self, Direct};
use crate::output::{self, OutputFlag};
use anyhow::{Context as _, bail};
use clap::Subcommand;
use flags::{Fields, Unset};
use ledger::entities::is_deleted;
use ledger::{Entity, View};
use schemas::Endpoint;
use secret::SigningSecretFlags;
use serde_json::json;
use shown::Shown;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an endpoint and print its signing secret, this once
    Create(Create),
    /// List endpoints, without secrets
    List(List),
    /// Show one endpoint, without secrets
    Get {
        /// wh_…
        id: String,
        #[command(flatten)]
        direct: DirectFlag,
        #[command(flatten)]
        output: OutputFlag,
    },
    /// Change what is given; what is left out stays
    Update(Update),
    /// Delete an endpoint: nothing more is sent to it
    Delete {
        /// wh_…
        id: String,
        #[command(flatten)]
        direct: DirectFlag,
    },
    /// Make a new signing secret and print it, this once; the old one goes on signing too for a while
    RotateSecret(RotateSecret),
}

#[derive(Debug, clap::Args)]
pub struct Create {
    /// Whose endpoint it is
    #[arg(long, value_name = "ID")]
    tenant: String,
    #[command(flatten)]
    fields: Fields,
    /// Scopes that it is made with: what wildcards cover, and what a key needs to change it; every scope of the tenant's catalogs when left out
    #[arg(long, alias = "scope", value_delimiter = ',')]
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
    /// Of this tenant alone
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// In this state alone
    #[arg(long, value_parser = ["active", "paused", "disabled", "auto_disabled"])]
    status: Option<String>,
    #[command(flatten)]
    direct: DirectFlag,
    #[command(flatten)]
    output: OutputFlag,
}

#[derive(Debug, clap::Args)]
pub struct Update {
    /// wh_…
    id: String,
    #[command(flatten)]
    fields: Fields,
    /// Take these settings back to their defaults
    #[arg(long, value_enum, value_delimiter = ',')]
    unset: Vec<Unset>,
    #[command(flatten)]
    direct: DirectFlag,
    #[command(flatten)]
    output: OutputFlag,
}

#[derive(Debug, clap::Args)]
pub struct RotateSecret {
    /// wh_…
    id: String,
    #[command(flatten)]
    secret: SigningSecretFlags,
    /// How long the old secret goes on signing too; 0 ends it at once
    #[arg(long, alias = "previous-secret-expires-in", value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(i64).range(0..=2_592_000))]
    previous_secret_expires_in_sec: i64,
    #[command(flatten)]
    direct: DirectFlag,
    #[command(flatten)]
    output: OutputFlag,
}

/// Refuses scopes that no event type needs.
pub fn require_known_scopes(view: &View, scopes: &[String]) -> anyhow::Result<()> {
    change::require_known_scopes(&change::catalogs(view), scopes)
}

pub async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Create(create) => create.run(config).await,
        Command::List(list) => list.run(config).await,
        Command::Get { id, direct, output } => {
            direct.require()?;
            let view = Direct::start(config).await?.ledger.view();
            let endpoint = view.endpoint(&id).filter(|endpoint| !is_deleted(endpoint));
            let endpoint = endpoint.with_context(|| change::none_such(&id))?;
            let shown = Shown::new(endpoint, endpoint.version);
            output::one(output.output, &json!({ "endpoint": shown }), &shown.text())
        }
        Command::Update(update) => update.run(config).await,
        Command::Delete { id, direct } => {
            direct.require()?;
            let direct = Direct::start(config).await?;
            let now_ms = runtime::clock::now_ms();
            change::endpoint(&direct, &id, |endpoint| {
                Ok(ledger::entities::deleted_marker(endpoint, now_ms))
            })
            .await?;
            output::line(format!("endpoint {id} was deleted"))
        }
        Command::RotateSecret(rotate) => rotate.run(config).await,
    }
}

impl Create {
    async fn run(self, config: &Config) -> anyhow::Result<()> {
        self.direct.require()?;
        self.fields.require_for_create()?;
        let secret = self.secret.brought_or_new()?;
        let keyring = connect::keyring(config)?;
        let direct = Direct::start(config).await?;
        let view = direct.ledger.view();
        let Some(tenant) = view.tenant(&self.tenant) else {
            bail!(
                "there is no tenant {}; make it with `hookline tenant create --direct`",
                self.tenant
            );
        };
        let catalogs = change::catalogs(&view);
        let mut endpoint = ledger::entities::new_endpoint(&tenant.id, "", Vec::new(), runtime::clock::now_ms());
        if let Some(scopes) = &self.scopes {
            change::require_known_scopes(&catalogs, scopes)?;
        }
        endpoint.required_scopes = self
            .scopes
            .unwrap_or_else(|| change::all_scopes(&catalogs, &tenant.catalogs));
        let judge = flags::Judge::new(config, &catalogs, tenant);
        self.fields.apply(&mut endpoint, &judge, Some(&keyring))?;
        ledger::seal_signing_secret(&mut endpoint, &keyring, &secret);
        direct.writer.put(Entity::from(endpoint.clone()), Some(0)).await?;
        show_with_secret(&direct, &endpoint.id, &secret, "was made", self.output)
    }
}

impl List {
    async fn run(self, config: &Config) -> anyhow::Result<()> {
        self.direct.require()?;
        let view = Direct::start(config).await?.ledger.view();
        let is_wanted = |endpoint: &Endpoint| {
            !is_deleted(endpoint)
                && self.tenant.as_ref().is_none_or(|tenant| endpoint.tenant == *tenant)
                && self.status.as_ref().is_none_or(|status| endpoint.status == *status)
        };
        let mut rows: Vec<_> = view
            .endpoints()
            .filter(|endpoint| is_wanted(endpoint))
            .map(|endpoint| Shown::new(endpoint, endpoint.version))
            .collect();
        rows.reverse();
        output::list(self.output.output, &rows)
    }
}

impl Update {
    async fn run(self, config: &Config) -> anyhow::Result<()> {
        self.direct.require()?;
        self.fields.require_for_update(&self.unset)?;
        let keyring = self.fields.seals().then(|| connect::keyring(config)).transpose()?;
        let direct = Direct::start(config).await?;
        let view = direct.ledger.view();
        let catalogs = change::catalogs(&view);
        let version = change::endpoint(&direct, &self.id, |endpoint| {
            let tenant = view
                .tenant(&endpoint.tenant)
                .with_context(|| format!("its tenant {} is gone", endpoint.tenant))?;
            let judge = flags::Judge::new(config, &catalogs, tenant);
            let mut endpoint = endpoint.clone();
            self.unset.iter().for_each(|field| field.apply(&mut endpoint));
            self.fields.apply(&mut endpoint, &judge, keyring.as_ref())?;
            endpoint.updated_at_ms = runtime::clock::now_ms();
            Ok(endpoint)
        })
        .await?;
        let view = direct.ledger.view();
        let endpoint = view.endpoint(&self.id).with_context(|| change::none_such(&self.id))?;
        let shown = Shown::new(endpoint, version.max(endpoint.version));
        output::one(self.output.output, &json!({ "endpoint": shown }), &shown.text())
    }
}

impl RotateSecret {
    async fn run(self, config: &Config) -> anyhow::Result<()> {
        self.direct.require()?;
        let secret = self.secret.brought_or_new()?;
        let keyring = connect::keyring(config)?;
        let direct = Direct::start(config).await?;
        let now_ms = runtime::clock::now_ms();
        let expires_at_ms = Some(self.previous_secret_expires_in_sec)
            .filter(|sec| *sec > 0)
            .map(|sec| now_ms + sec * 1000);
        change::endpoint(&direct, &self.id, |endpoint| {
            let mut rotated = ledger::rotate_secret(endpoint, &keyring, &secret, expires_at_ms)?;
            rotated.updated_at_ms = now_ms;
            Ok(rotated)
        })
        .await?;
        show_with_secret(&direct, &self.id, &secret, "has a new signing secret", self.output)
    }
}

fn show_with_secret(direct: &Direct, id: &str, secret: &str, what: &str, output: OutputFlag) -> anyhow::Result<()> {
    let view = direct.ledger.view();
    let endpoint = view.endpoint(id).with_context(|| change::none_such(id))?;
    let shown = Shown::new(endpoint, endpoint.version);
    let text = format!("endpoint {id} {what}; its signing secret is shown this once:\n{secret}\n");
    output::one(
        output.output,
        &json!({ "endpoint": shown, "signingSecret": secret }),
        &text,
    )
}
