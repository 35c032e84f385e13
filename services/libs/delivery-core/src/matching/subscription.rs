//! What matching needs to know of an endpoint and of an event, and the rules beside the filters.

use crate::filter::Filter;
use std::sync::Arc;

/// What matching needs to know of an endpoint. There may be a million: no field holds room to grow.
#[derive(Debug, Clone)]
pub struct Subscription {
    pub endpoint_id: Arc<str>,
    pub tenant: Arc<str>,
    pub filters: Box<[Filter]>,
    /// Scopes of the key that it was made with (`required_scopes`): a type that needs another is never matched, by a
    /// wildcard or by name.
    pub scopes: Arc<[String]>,
    /// Resource scope. `None` when no such list was given (in the ledger: no scopes, or an empty list).
    pub vault_ids: Option<Ids>,
    /// As `vault_ids`.
    pub matter_ids: Option<Ids>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
}

/// A set of resource ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids(Box<[Arc<str>]>);

/// The resource that a type has, by its catalog, and the id that the event's data holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    /// The type has none, whatever its data holds.
    None,
    Vault(Option<&'a str>),
    Matter(Option<&'a str>),
}

/// What matching needs to know of an event.
#[derive(Debug, Clone, Copy)]
pub struct EventFacts<'a> {
    pub tenant: &'a str,
    pub event_type: &'a str,
    /// Scope that the type needs; `None` is open to all.
    pub required_scope: Option<&'a str>,
    pub resource: Resource<'a>,
    /// The source record's timestamp, never `occurred_at`; Unix milliseconds.
    pub timestamp_ms: i64,
}

/// Why an event isn't for an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// No filter names its type.
    Filters,
    /// The endpoint lacks the type's scope.
    Scope,
    /// Its resource isn't among the endpoint's.
    Resource,
    /// The endpoint is newer.
    CreatedLater,
}

impl Subscription {
    /// Whether one of the filters names this type.
    pub(super) fn covers(&self, event_type: &str) -> bool {
        self.filters.iter().any(|filter| filter.covers(event_type))
    }

    /// All rules but the filters.
    pub(super) fn admits(&self, event: &EventFacts<'_>, clock_tolerance_ms: i64) -> bool {
        self.existed_before(event, clock_tolerance_ms)
            && self.holds_scope_of(event)
            && self.admits_resource(event.resource)
    }

    /// Why the event isn't for it; None: it is. By the same rules as the index.
    #[must_use]
    pub fn mismatch(&self, event: &EventFacts<'_>, clock_tolerance_ms: i64) -> Option<Mismatch> {
        if !self.covers(event.event_type) {
            return Some(Mismatch::Filters);
        }
        if !self.holds_scope_of(event) {
            return Some(Mismatch::Scope);
        }
        if !self.admits_resource(event.resource) {
            return Some(Mismatch::Resource);
        }
        (!self.existed_before(event, clock_tolerance_ms)).then_some(Mismatch::CreatedLater)
    }

    fn existed_before(&self, event: &EventFacts<'_>, clock_tolerance_ms: i64) -> bool {
        event.timestamp_ms.saturating_add(clock_tolerance_ms) >= self.created_at_ms
    }

    fn holds_scope_of(&self, event: &EventFacts<'_>) -> bool {
        event
            .required_scope
            .is_none_or(|scope| self.scopes.iter().any(|held| held == scope))
    }

    /// Whether only events of some resources are for it.
    pub(super) fn is_scoped(&self) -> bool {
        self.vault_ids.is_some() || self.matter_ids.is_some()
    }

    fn admits_resource(&self, resource: Resource<'_>) -> bool {
        let lists =
            |ids: &Option<Ids>, id: Option<&str>| ids.as_ref().zip(id).is_some_and(|(ids, id)| ids.contains(id));
        match resource {
            _ if !self.is_scoped() => true,
            Resource::None => false,
            Resource::Vault(id) => lists(&self.vault_ids, id),
            Resource::Matter(id) => lists(&self.matter_ids, id),
        }
    }
}

impl Ids {
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.0.binary_search_by(|held| (**held).cmp(id)).is_ok()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.iter()
    }
}

impl<T: Into<Arc<str>>> FromIterator<T> for Ids {
    fn from_iter<I: IntoIterator<Item = T>>(ids: I) -> Self {
        let mut ids: Vec<Arc<str>> = ids.into_iter().map(Into::into).collect();
        ids.sort_unstable();
        ids.dedup();
        Self(ids.into())
    }
}
