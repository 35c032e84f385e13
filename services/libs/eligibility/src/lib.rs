//! Whether an event is for an endpoint: from the ledger's endpoint and the catalog's type to what matching compares. Fan-out
//! fills its index with it; whoever explains why an event did not go to an endpoint, or looks for what an endpoint has
//! missed, asks about one endpoint at a time.
//!
//! Deliberately not here: the rules themselves and the index (`delivery-core`), and where a delivery goes (fan-out).

use delivery_core::{
    filter::Filter,
    matching::{EventFacts, Mismatch, Resource, Subscription},
};
use event_model::{Event, TypeInfo};
use schemas::Endpoint;

/// What a tenant's other endpoints are told when one was disabled.
pub const AUTO_DISABLED_TYPE: &str = "webhook.endpoint.auto_disabled";

/// What matching needs to know of an endpoint.
#[must_use]
pub fn subscription(endpoint: &Endpoint) -> Subscription {
    let filters = endpoint
        .event_type_filters
        .iter()
        .filter_map(|text| match Filter::parse(text) {
            Ok(filter) => Some(filter),
            Err(error) => {
                tracing::error!(endpoint = endpoint.id, filter = text, %error, "a stored filter matches nothing");
                None
            }
        });
    // An empty list is no list.
    let ids = |ids: &Vec<String>| (!ids.is_empty()).then(|| ids.iter().map(String::as_str).collect());
    let scopes = endpoint.resource_scopes.as_ref();
    Subscription {
        endpoint_id: endpoint.id.as_str().into(),
        tenant: endpoint.tenant.as_str().into(),
        filters: filters.collect(),
        scopes: endpoint.required_scopes.as_slice().into(),
        vault_ids: scopes.and_then(|s| ids(&s.vault_ids)),
        matter_ids: scopes.and_then(|s| ids(&s.matter_ids)),
        created_at_ms: endpoint.created_at_ms,
    }
}

/// What matching needs to know of an event. `resource_id`: what [`TypeInfo::resource_id`] reads of its data.
#[must_use]
pub fn facts<'a>(event: &'a Event, info: &'a TypeInfo, resource_id: Option<&'a str>) -> EventFacts<'a> {
    EventFacts {
        tenant: &event.tenant,
        event_type: &event.event_type,
        required_scope: info.required_scope.as_deref(),
        resource: match info.resource {
            None => Resource::None,
            Some(event_model::Resource::Vault) => Resource::Vault(resource_id),
            Some(event_model::Resource::Matter) => Resource::Matter(resource_id),
        },
        timestamp_ms: event.timestamp_ms,
    }
}

/// The endpoint that this event says was disabled: it is told to the tenant's other endpoints.
#[must_use]
pub fn disabled_endpoint(event: &Event) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Data {
        #[serde(rename = "endpointId")]
        endpoint_id: String,
    }
    if event.event_type != AUTO_DISABLED_TYPE {
        return None;
    }
    let data: Data = serde_json::from_str(event.data.get()).ok()?;
    Some(data.endpoint_id)
}

/// Why an event is not for an endpoint, by the configuration as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its status is `disabled`: new events aren't matched with it.
    Disabled,
    /// It was deleted.
    Deleted,
    /// None of its filters names the type.
    Filters,
    /// It was made with a key that lacks the type's scope.
    Scope,
    /// The event's vault or matter isn't in its resource scopes.
    Resource,
    /// It was made after the event was published.
    CreatedLater,
    /// The event says that it was disabled itself.
    AboutItself,
    /// The type is in none of the tenant's catalogs any more.
    UnknownType,
}

impl Reason {
    /// One word for programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
            Self::Filters => "filters",
            Self::Scope => "scope",
            Self::Resource => "resource_scopes",
            Self::CreatedLater => "created_later",
            Self::AboutItself => "about_itself",
            Self::UnknownType => "unknown_type",
        }
    }
}

/// Whether an event is for an endpoint, whatever time has passed since. `info`: the type, when the tenant has it. An event
/// that is older than the endpoint by more than `clock_tolerance_ms` isn't; None: the endpoint's age is not asked.
///
/// # Errors
/// The first reason why it isn't.
pub fn check(
    endpoint: &Endpoint,
    event: &Event,
    info: Option<&TypeInfo>,
    clock_tolerance_ms: Option<i64>,
) -> Result<(), Reason> {
    match endpoint.status.as_str() {
        "disabled" => return Err(Reason::Disabled),
        "deleted" => return Err(Reason::Deleted),
        _ => {}
    }
    let Some(info) = info else {
        return Err(Reason::UnknownType);
    };
    if disabled_endpoint(event).is_some_and(|id| id == endpoint.id) {
        return Err(Reason::AboutItself);
    }
    let resource = info.resource_id(&event.data);
    let facts = facts(event, info, resource.as_ref().map(|(_, id)| &**id));
    let tolerance_ms = clock_tolerance_ms.unwrap_or(i64::MAX);
    match subscription(endpoint).mismatch(&facts, tolerance_ms) {
        None => Ok(()),
        Some(Mismatch::Filters) => Err(Reason::Filters),
        Some(Mismatch::CreatedLater) => Err(Reason::CreatedLater),
        Some(Mismatch::Scope) => Err(Reason::Scope),
        Some(Mismatch::Resource) => Err(Reason::Resource),
    }
}
