//! A tenant as it is answered.

use runtime::clock::rfc3339;
use schemas::Tenant;
use serde::Serialize;
use utoipa::ToSchema;

/// A tenant. Times are RFC 3339, UTC, in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TenantShown {
    id: String,
    name: String,
    catalogs: Vec<String>,
    header_prefix: Option<String>,
    quotas: QuotasShown,
    created_at: String,
    updated_at: String,
    /// One more with each change; the `ETag` is this in double quotes.
    version: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct QuotasShown {
    endpoints: i64,
    events_per_second: Option<i64>,
    backlog_bytes: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TenantAnswer {
    pub tenant: TenantShown,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TenantsAnswer {
    /// By id.
    pub tenants: Vec<TenantShown>,
    /// Send it back as `cursor` for what follows; null on the last page.
    pub next_cursor: Option<String>,
}

impl TenantShown {
    pub(crate) fn new(tenant: &Tenant, version: i64) -> Self {
        Self {
            id: tenant.id.clone(),
            name: tenant.name.clone(),
            catalogs: tenant.catalogs.clone(),
            header_prefix: tenant.header_prefix.clone(),
            quotas: QuotasShown {
                endpoints: tenant.quotas.endpoints,
                events_per_second: tenant.quotas.events_per_second,
                backlog_bytes: tenant.quotas.backlog_bytes,
            },
            created_at: rfc3339(tenant.created_at_ms),
            updated_at: rfc3339(tenant.updated_at_ms),
            version,
        }
    }
}
