//! `hookline key`: makes, lists and revokes API keys, over the operator's API or, with `--direct`, over Kafka. A key is
//! printed once, when it is made.

use super::DirectFlag;
use crate::api::{self, As};
use crate::config::Config;
use crate::connect::Direct;
use crate::failure::Usage;
use crate::output::{self, OutputFlag, Row};
use anyhow::bail;
use api_client::{Client, NewKey};
use clap::Subcommand;
use ledger::{Entity, Kind};
use schemas::ApiKey;
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an API key and print it, this once
    Create(Create),
    /// List a tenant's keys; never the keys themselves
    List {
        #[arg(long, value_name = "ID")]
        tenant: String,
        #[command(flatten)]
        direct: DirectFlag,
        #[command(flatten)]
        output: OutputFlag,
    },
    /// End a key
    Revoke {
        /// key_…
        id: String,
        /// Whose key it is; all tenants' keys are looked through when it is left out
        #[arg(long, value_name = "ID")]
        tenant: Option<String>,
        #[command(flatten)]
        direct: DirectFlag,
    },
}

#[derive(Debug, clap::Args)]
pub struct Create {
    /// Whose key it is
    #[arg(long, value_name = "ID")]
    tenant: String,
    /// What it allows: vault, vision_ocr, transcription, agent, legal, compute, webhooks …
    #[arg(long, alias = "scope", value_delimiter = ',', required = true)]
    scopes: Vec<String>,
    /// When it ends, such as 2027-01-01T00:00:00Z; never when left out
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    #[command(flatten)]
    direct: DirectFlag,
    #[command(flatten)]
    output: OutputFlag,
}

pub async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Create(create) => create.run(config).await,
        Command::List { tenant, direct, output } if !direct.direct => {
            let keys = api::client(config, As::Operator)?.keys(&tenant).await?;
            output::list(output.output, &keys)
        }
        Command::List { tenant, output, .. } => {
            let view = Direct::start(config).await?.ledger.view();
            if view.tenant(&tenant).is_none() {
                bail!("there is no tenant {tenant}; `hookline tenant list --direct` shows those that there are");
            }
            let rows: Vec<_> = view.keys_of(&tenant).map(|key| Shown::new(key)).collect();
            output::list(output.output, &rows)
        }
        Command::Revoke { id, tenant, direct } if !direct.direct => {
            let client = api::client(config, As::Operator)?;
            let tenant = match tenant {
                Some(tenant) => tenant,
                None => owner(&client, &id).await?,
            };
            client.revoke_key(&tenant, &id).await?;
            output::line(format!("key {id} was revoked"))
        }
        Command::Revoke { id, tenant, .. } => {
            let direct = Direct::start(config).await?;
            let view = direct.ledger.view();
            let key = view.key(&id);
            let key = key.filter(|key| tenant.as_ref().is_none_or(|tenant| key.tenant == *tenant));
            let Some(version) = key.map(|key| key.version) else {
                bail!("there is no key {id}; `hookline key list --direct --tenant …` shows those that there are");
            };
            direct.writer.remove(Kind::Key, &id, Some(version)).await?;
            output::line(format!("key {id} was revoked"))
        }
    }
}

/// The tenant that has this key.
async fn owner(client: &Client, id: &str) -> anyhow::Result<String> {
    for tenant in client.tenants().await? {
        if client.keys(&tenant.id).await?.iter().any(|key| key.id == id) {
            return Ok(tenant.id);
        }
    }
    bail!("there is no key {id}; `hookline key list --tenant …` shows those that there are")
}

impl Create {
    async fn run(self, config: &Config) -> anyhow::Result<()> {
        let now_ms = runtime::clock::now_ms();
        let expires_at_ms = self
            .expires_at
            .as_deref()
            .map(|text| parse_time("--expires-at", text))
            .transpose()?;
        if expires_at_ms.is_some_and(|at| at <= now_ms) {
            return Err(Usage::error("--expires-at has passed already"));
        }
        if !self.direct.direct {
            let wanted = NewKey {
                scopes: self.scopes,
                expires_at: expires_at_ms.map(output::time),
            };
            let client = api::client(config, As::Operator)?;
            let (key, plain) = client.create_key(&self.tenant, &wanted).await?;
            let mut shown = serde_json::to_value(&key)?;
            shown["key"] = plain.as_str().into();
            return output::one(self.output.output, &shown, &made(&key.id, &plain));
        }
        let direct = Direct::start(config).await?;
        if direct.ledger.view().tenant(&self.tenant).is_none() {
            bail!(
                "there is no tenant {}; make it with `hookline tenant create --direct`",
                self.tenant
            );
        }
        super::endpoint::require_known_scopes(&direct.ledger.view(), &self.scopes)?;
        let (key, plain) = ledger::entities::new_api_key(&self.tenant, self.scopes, expires_at_ms, now_ms);
        direct.writer.put(Entity::from(key.clone()), Some(0)).await?;
        let mut shown = Shown::new(&key);
        shown.key = Some(plain.clone());
        output::one(self.output.output, &shown, &made(&key.id, &plain))
    }
}

fn made(id: &str, plain: &str) -> String {
    format!("key {id} was made; it is shown this once:\n{plain}\n")
}

/// Unix milliseconds of an RFC 3339 time.
pub fn parse_time(flag: &str, text: &str) -> anyhow::Result<i64> {
    let time = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| Usage::error(format!("{flag}: `{text}` is not a time such as 2026-11-21T10:00:00Z")))?;
    Ok(i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    id: String,
    tenant: String,
    scopes: Vec<String>,
    expires_at: Option<String>,
    created_at: String,
    /// Only when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl Shown {
    fn new(key: &ApiKey) -> Self {
        Self {
            id: key.id.clone(),
            tenant: key.tenant.clone(),
            scopes: key.scopes.clone(),
            expires_at: key.expires_at_ms.map(output::time),
            created_at: output::time(key.created_at_ms),
            key: None,
        }
    }
}

const HEADERS: [&str; 4] = ["ID", "SCOPES", "EXPIRES", "CREATED"];

fn cells(id: &str, scopes: &[String], expires_at: Option<&str>, created_at: &str) -> Vec<String> {
    let expires = expires_at.unwrap_or("never");
    [id, &scopes.join(","), expires, created_at].map(str::to_owned).to_vec()
}

impl Row for Shown {
    const HEADERS: &'static [&'static str] = &HEADERS;

    fn cells(&self) -> Vec<String> {
        cells(&self.id, &self.scopes, self.expires_at.as_deref(), &self.created_at)
    }
}

impl Row for api_client::Key {
    const HEADERS: &'static [&'static str] = &HEADERS;

    fn cells(&self) -> Vec<String> {
        cells(&self.id, &self.scopes, self.expires_at.as_deref(), &self.created_at)
    }
}
