//! `hookline tenant`: makes and lists tenants.

use super::DirectFlag;
use crate::config::Config;
use crate::connect::Direct;
use crate::failure::Usage;
use crate::output::{self, OutputFlag, Row};
use clap::Subcommand;
use ledger::Entity;
use schemas::Tenant;
use serde::Serialize;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a tenant and print its id
    Create(Create),
    /// List all tenants
    List {
        #[command(flatten)]
        direct: DirectFlag,
        #[command(flatten)]
        output: OutputFlag,
    },
}

#[derive(Debug, clap::Args)]
pub struct Create {
    /// What people call it
    #[arg(value_name = "NAME", required_unless_present = "name_flag")]
    name: Option<String>,
    /// The same as NAME
    #[arg(long = "name", value_name = "NAME", conflicts_with = "name")]
    name_flag: Option<String>,
    /// Its id, org_…; made up when left out
    #[arg(long)]
    id: Option<String>,
    /// Catalogs of event types that it has: platform, case_events, cases
    #[arg(long, alias = "catalog", value_delimiter = ',', default_value = "platform")]
    catalogs: Vec<String>,
    /// Prefix of its deliveries' headers, such as case-webhook-
    #[arg(long)]
    header_prefix: Option<String>,
    /// Most endpoints that it may have
    #[arg(long, default_value_t = ledger::entities::DEFAULT_ENDPOINT_QUOTA, value_parser = clap::value_parser!(i64).range(0..))]
    max_endpoints: i64,
    #[command(flatten)]
    direct: DirectFlag,
    #[command(flatten)]
    output: OutputFlag,
}

pub async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Create(create) => create.run(config).await,
        Command::List { direct, output } => {
            direct.require()?;
            let view = Direct::start(config).await?.ledger.view();
            let rows: Vec<_> = view.tenants().map(|tenant| Shown::new(tenant)).collect();
            output::list(output.output, &rows)
        }
    }
}

impl Create {
    async fn run(self, config: &Config) -> anyhow::Result<()> {
        self.direct.require()?;
        let known: Vec<_> = schemas::catalogs::all().iter().map(|(name, _)| *name).collect();
        if let Some(unknown) = self.catalogs.iter().find(|catalog| !known.contains(&catalog.as_str())) {
            return Err(Usage::error(format!(
                "catalog `{unknown}` is none of {}",
                known.join(", ")
            )));
        }
        let name = self.name.or(self.name_flag).unwrap_or_default();
        let mut tenant = ledger::entities::new_tenant(&name, self.catalogs, runtime::clock::now_ms());
        if let Some(id) = self.id {
            tenant.id = id;
        }
        tenant.header_prefix = self.header_prefix;
        tenant.quotas.endpoints = self.max_endpoints;
        let direct = Direct::start(config).await?;
        direct.writer.put(Entity::from(tenant.clone()), Some(0)).await?;
        let shown = Shown::new(&tenant);
        let text = format!("tenant {} was made: {}\n", tenant.id, tenant.name);
        output::one(self.output.output, &serde_json::json!({ "tenant": shown }), &text)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    id: String,
    name: String,
    catalogs: Vec<String>,
    header_prefix: Option<String>,
    quotas: ShownQuotas,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownQuotas {
    endpoints: i64,
    events_per_second: Option<i64>,
    backlog_bytes: Option<i64>,
}

impl Shown {
    fn new(tenant: &Tenant) -> Self {
        Self {
            id: tenant.id.clone(),
            name: tenant.name.clone(),
            catalogs: tenant.catalogs.clone(),
            header_prefix: tenant.header_prefix.clone(),
            quotas: ShownQuotas {
                endpoints: tenant.quotas.endpoints,
                events_per_second: tenant.quotas.events_per_second,
                backlog_bytes: tenant.quotas.backlog_bytes,
            },
            created_at: output::time(tenant.created_at_ms),
            updated_at: output::time(tenant.updated_at_ms),
        }
    }
}

impl Row for Shown {
    const HEADERS: &'static [&'static str] = &["ID", "NAME", "CATALOGS", "HEADER PREFIX", "CREATED"];

    fn cells(&self) -> Vec<String> {
        let prefix = self.header_prefix.clone().unwrap_or_else(|| "-".to_owned());
        vec![
            self.id.clone(),
            self.name.clone(),
            self.catalogs.join(","),
            prefix,
            self.created_at.clone(),
        ]
    }
}
