//! `hookline key`: makes, lists and revokes API keys. A key is printed once, when it is made.

use super::DirectFlag;
use crate::config::Config;
use crate::connect::Direct;
use crate::failure::Usage;
use crate::output::{self, OutputFlag, Row};
use anyhow::bail;
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
        Command::List { tenant, direct, output } => {
            direct.require()?;
            let view = Direct::start(config).await?.ledger.view();
            if view.tenant(&tenant).is_none() {
                bail!("there is no tenant {tenant}; `hookline tenant list --direct` shows those that there are");
            }
            let rows: Vec<_> = view.keys_of(&tenant).map(|key| Shown::new(key)).collect();
            output::list(output.output, &rows)
        }
        Command::Revoke { id, direct } => {
            direct.require()?;
            let direct = Direct::start(config).await?;
            let Some(version) = direct.ledger.view().key(&id).map(|key| key.version) else {
                bail!("there is no key {id}; `hookline key list --direct --tenant …` shows those that there are");
            };
            direct.writer.remove(Kind::Key, &id, Some(version)).await?;
            output::line(format!("key {id} was revoked"))
        }
    }
}

impl Create {
    async fn run(self, config: &Config) -> anyhow::Result<()> {
        self.direct.require()?;
        let now_ms = runtime::clock::now_ms();
        let expires_at_ms = self
            .expires_at
            .as_deref()
            .map(|text| parse_time("--expires-at", text))
            .transpose()?;
        if expires_at_ms.is_some_and(|at| at <= now_ms) {
            return Err(Usage::error("--expires-at has passed already"));
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
        let text = format!("key {} was made; it is shown this once:\n{plain}\n", key.id);
        output::one(self.output.output, &shown, &text)
    }
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

impl Row for Shown {
    const HEADERS: &'static [&'static str] = &["ID", "SCOPES", "EXPIRES", "CREATED"];

    fn cells(&self) -> Vec<String> {
        let expires = self.expires_at.clone().unwrap_or_else(|| "never".to_owned());
        vec![self.id.clone(), self.scopes.join(","), expires, self.created_at.clone()]
    }
}
