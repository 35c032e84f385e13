//! Changing an endpoint over Kafka that others may be changing too, and what its change is judged by.

use crate::config::Config;
use crate::connect::{self, Direct};
use anyhow::{Context as _, anyhow, bail};
use egress::Policy;
use endpoint_settings::{Judge, Problem, Settings};
use event_model::Catalogs;
use ledger::entities::is_deleted;
use ledger::{Entity, Keyring, View, WriteError};
use schemas::{Endpoint, Tenant};

/// Tries while others change the same endpoint.
const TRIES: usize = 10;

/// Changes an endpoint as it is now; when somebody else was faster, changes what they made of it. Its new version.
pub async fn endpoint(
    direct: &Direct,
    tenant: Option<&str>,
    id: &str,
    change: impl Fn(&Endpoint) -> anyhow::Result<Endpoint>,
) -> anyhow::Result<i64> {
    let mut view = direct.ledger.view();
    for _ in 0..TRIES {
        let endpoint = view.endpoint(id).filter(|endpoint| is_there(endpoint, tenant));
        let endpoint = endpoint.with_context(|| none_such(id))?;
        let changed = Entity::from(change(endpoint)?);
        match direct.writer.put(changed, Some(endpoint.version)).await {
            Ok(version) => return Ok(version),
            Err(WriteError::Conflict { .. }) => view = direct.ledger.barrier().await?,
            Err(error) => return Err(error.into()),
        }
    }
    bail!("endpoint {id} is being changed by others all the time; try again")
}

/// Whether it lives, and is this tenant's where one is named.
pub fn is_there(endpoint: &Endpoint, tenant: Option<&str>) -> bool {
    !is_deleted(endpoint) && tenant.is_none_or(|tenant| endpoint.tenant == tenant)
}

pub fn none_such(id: &str) -> String {
    format!("there is no endpoint {id}; `hookline endpoint list --direct` shows those that there are")
}

/// The catalogs, with the types that operators added.
pub fn catalogs(view: &View) -> Catalogs {
    let added: Vec<_> = view.event_types().collect();
    let (catalogs, errors) = Catalogs::with_added(added.iter().map(|event_type| event_type.entity.as_ref()));
    for error in errors {
        eprintln!("note: {error}");
    }
    catalogs
}

/// What changes over Kafka are judged by: this configuration, which may differ from the API's.
pub struct Rules<'a> {
    config: &'a Config,
    policy: Policy,
    catalogs: Catalogs,
    keyring: &'a Keyring,
}

impl<'a> Rules<'a> {
    pub fn new(config: &'a Config, view: &View, keyring: &'a Keyring) -> Self {
        Self {
            config,
            policy: connect::egress_policy(config),
            catalogs: catalogs(view),
            keyring,
        }
    }

    pub fn catalogs(&self) -> &Catalogs {
        &self.catalogs
    }

    /// Does what the settings say, or says everything that is wrong with them.
    pub fn apply(&self, wanted: &Settings, tenant: &Tenant, endpoint: &mut Endpoint) -> anyhow::Result<()> {
        let judge = Judge {
            policy: &self.policy,
            catalogs: &self.catalogs,
            tenant,
            default_header_prefix: &self.config.delivery.header_prefix,
            keyring: self.keyring,
            now_ms: runtime::clock::now_ms(),
        };
        judge
            .apply(wanted, endpoint)
            .map_err(|problems| refusal(&problems, tenant))
    }
}

/// All of it in one line.
fn refusal(problems: &[Problem], tenant: &Tenant) -> anyhow::Error {
    let say = |problem: &Problem| {
        let scopes = if problem.is_permission { " (see --scopes)" } else { "" };
        match problem.path.as_str() {
            "" => format!("{problem}{scopes}"),
            path => format!("{path}: {problem}{scopes}"),
        }
    };
    let all: Vec<_> = problems.iter().map(say).collect();
    let about_types = problems
        .iter()
        .any(|problem| problem.path.starts_with("eventTypeFilters"));
    let catalogs = if about_types {
        format!("; the tenant's catalogs are: {}", tenant.catalogs.join(", "))
    } else {
        String::new()
    };
    anyhow!("{}{catalogs}", all.join("; "))
}
