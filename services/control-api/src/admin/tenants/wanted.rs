//! What the operator may say of a tenant.

use crate::{
    body::{nullable_object, present},
    error::ApiError,
};
use ledger::entities;
use schemas::Tenant;
use serde::Deserialize;
use utoipa::ToSchema;

/// What a tenant has that is made without a word about it.
const DEFAULT_CATALOG: &str = "platform";

/// A new tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewTenant {
    /// 1 to 128 letters, digits, `_`, `-` or `.`; `org_` and a ULID when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    id: Option<String>,
    /// What people call it; 1 to 256 characters.
    name: String,
    /// Catalogs of event types: `platform`, `case_events`, `cases`; `platform` when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false)]
    catalogs: Option<Vec<String>>,
    /// Prefix of its deliveries' headers, such as `case-webhook-`; null: the installation's.
    #[serde(default)]
    header_prefix: Option<String>,
    #[serde(default, deserialize_with = "nullable_object")]
    #[schema(value_type = Option<WantedQuotas>)]
    quotas: Option<Option<WantedQuotas>>,
}

/// What is to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChangedTenant {
    /// 1 to 256 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    name: Option<String>,
    /// They replace all that it has.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false)]
    catalogs: Option<Vec<String>>,
    /// null: the installation's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    header_prefix: Option<Option<String>>,
    /// null: the default ones.
    #[serde(default, deserialize_with = "nullable_object")]
    #[schema(value_type = Option<WantedQuotas>)]
    quotas: Option<Option<WantedQuotas>>,
}

/// Most of what a tenant may have. What is left out stays, or is the default.
#[derive(Debug, Default, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WantedQuotas {
    /// 1,000 by default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = i64, minimum = 0, required = false)]
    endpoints: Option<i64>,
    /// Comes with a later version: null until then.
    #[serde(default)]
    events_per_second: Option<i64>,
    /// Comes with a later version: null until then.
    #[serde(default)]
    backlog_bytes: Option<i64>,
}

impl NewTenant {
    pub(crate) fn tenant(self, now_ms: i64) -> Result<Tenant, ApiError> {
        let catalogs = self.catalogs.unwrap_or_else(|| vec![DEFAULT_CATALOG.to_owned()]);
        let mut tenant = entities::new_tenant(&self.name, sound(catalogs)?, now_ms);
        if let Some(id) = self.id {
            // Dots alone would be a step in a path.
            if !id.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                return Err(ApiError::invalid("id", "an id begins with a letter or a digit"));
            }
            tenant.id = id;
        }
        tenant.header_prefix = self.header_prefix;
        self.quotas.flatten().unwrap_or_default().apply(&mut tenant);
        Ok(tenant)
    }
}

impl ChangedTenant {
    pub(crate) fn apply(&self, tenant: &mut Tenant) -> Result<(), ApiError> {
        if let Some(name) = &self.name {
            tenant.name.clone_from(name);
        }
        if let Some(catalogs) = &self.catalogs {
            tenant.catalogs = sound(catalogs.clone())?;
        }
        if let Some(prefix) = &self.header_prefix {
            tenant.header_prefix.clone_from(prefix);
        }
        match self.quotas {
            None => {}
            Some(Some(quotas)) => quotas.apply(tenant),
            Some(None) => tenant.quotas.endpoints = entities::DEFAULT_ENDPOINT_QUOTA,
        }
        Ok(())
    }
}

impl WantedQuotas {
    fn apply(self, tenant: &mut Tenant) {
        if let Some(endpoints) = self.endpoints {
            tenant.quotas.endpoints = endpoints;
        }
        tenant.quotas.events_per_second = self.events_per_second;
        tenant.quotas.backlog_bytes = self.backlog_bytes;
    }
}

/// At least one catalog, each once, in the order given.
fn sound(catalogs: Vec<String>) -> Result<Vec<String>, ApiError> {
    let mut kept: Vec<String> = Vec::new();
    for (index, catalog) in catalogs.into_iter().enumerate() {
        if !schemas::catalogs::all().iter().any(|(name, _)| *name == catalog) {
            let known: Vec<_> = schemas::catalogs::all().iter().map(|(name, _)| *name).collect();
            return Err(ApiError::invalid(
                format!("catalogs[{index}]"),
                format!("there is no such catalog; use {}", known.join(", ")),
            ));
        }
        if !kept.contains(&catalog) {
            kept.push(catalog);
        }
    }
    if kept.is_empty() {
        return Err(ApiError::invalid("catalogs", "a tenant has at least one catalog"));
    }
    Ok(kept)
}
