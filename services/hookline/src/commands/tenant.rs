//! `hookline tenant`: makes and lists tenants, over the operator's API or, with `--direct`, over Kafka.

use super::DirectFlag;
use crate::api::{self, As};
use crate::config::Config;
use crate::connect::Direct;
use crate::failure::Usage;
use crate::output::{self, OutputFlag, Row};
use api_client::{NewTenant, Quotas};
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
    /// Most endpoints that it may have; 1000 when left out
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..))]
    max_endpoints: Option<i64>,
    #[command(flatten)]
    direct: DirectFlag,
    #[command(flatten)]
    output: OutputFlag,
}

pub async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Create(create) => create.run(config).await,
        Command::List { direct, output } if !direct.direct => {
            let tenants = api::client(config, As::Operator)?.tenants().await?;
            output::list(output.output, &tenants)
        }
        Command::List { output, .. } => {
            let view = Direct::start(config).await?.ledger.view();
            let rows: Vec<_> = view.tenants().map(|tenant| Shown::new(tenant)).collect();
            output::list(output.output, &rows)
        }
    }
}

impl Create {
    async fn run(self, config: &Config) -> anyhow::Result<()> {
        let known: Vec<_> = schemas::catalogs::all().iter().map(|(name, _)| *name).collect();
        if let Some(unknown) = self.catalogs.iter().find(|catalog| !known.contains(&catalog.as_str())) {
            return Err(Usage::error(format!(
                "catalog `{unknown}` is none of {}",
                known.join(", ")
            )));
        }
        let name = self.name.or(self.name_flag).unwrap_or_default();
        if !self.direct.direct {
            let wanted = NewTenant {
                id: self.id,
                name,
                catalogs: self.catalogs,
                header_prefix: self.header_prefix,
                quotas: self.max_endpoints.map(|endpoints| Quotas { endpoints }),
            };
            let made = api::client(config, As::Operator)?.create_tenant(&wanted).await?;
            return show(self.output, &made, &made.id, &made.name);
        }
        let mut tenant = ledger::entities::new_tenant(&name, self.catalogs, runtime::clock::now_ms());
        if let Some(id) = self.id {
            tenant.id = id;
        }
        tenant.header_prefix = self.header_prefix;
        if let Some(most) = self.max_endpoints {
            tenant.quotas.endpoints = most;
        }
        let direct = Direct::start(config).await?;
        direct.writer.put(Entity::from(tenant.clone()), Some(0)).await?;
        show(self.output, &Shown::new(&tenant), &tenant.id, &tenant.name)
    }
}

fn show(output: OutputFlag, tenant: &impl Serialize, id: &str, name: &str) -> anyhow::Result<()> {
    let text = format!("tenant {id} was made: {name}\n");
    output::one(output.output, &serde_json::json!({ "tenant": tenant }), &text)
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

const HEADERS: [&str; 5] = ["ID", "NAME", "CATALOGS", "HEADER PREFIX", "CREATED"];

fn cells(id: &str, name: &str, catalogs: &[String], prefix: Option<&str>, created_at: &str) -> Vec<String> {
    let prefix = prefix.unwrap_or("-");
    [id, name, &catalogs.join(","), prefix, created_at]
        .map(str::to_owned)
        .to_vec()
}

impl Row for Shown {
    const HEADERS: &'static [&'static str] = &HEADERS;

    fn cells(&self) -> Vec<String> {
        let prefix = self.header_prefix.as_deref();
        cells(&self.id, &self.name, &self.catalogs, prefix, &self.created_at)
    }
}

impl Row for api_client::Tenant {
    const HEADERS: &'static [&'static str] = &HEADERS;

    fn cells(&self) -> Vec<String> {
        let prefix = self.header_prefix.as_deref();
        cells(&self.id, &self.name, &self.catalogs, prefix, &self.created_at)
    }
}
