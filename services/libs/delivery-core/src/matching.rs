//! Which endpoints an event is for: per tenant, exact names in a hash, prefixes in a trie of segments, resource scopes
//! last. An index, not a scan. All of it is persistent maps, so a clone is O(1) and a change copies a path, not the
//! world. It knows no states: whoever fills it leaves out endpoints that match nothing.

mod trie;

use crate::filter::Filter;
use imbl::{HashMap, OrdMap};
use std::collections::HashSet;
use std::sync::Arc;

/// What matching needs to know of an endpoint.
#[derive(Debug, Clone)]
pub struct Subscription {
    pub endpoint_id: Arc<str>,
    pub tenant: Arc<str>,
    pub filters: Vec<Filter>,
    /// Scopes of the key that it was made with (`required_scopes`): a type that needs another is never matched, by a
    /// wildcard or by name.
    pub scopes: Vec<String>,
    /// Resource scope. `None` when no such list was given (in the ledger: no scopes, or an empty list).
    pub vault_ids: Option<HashSet<String>>,
    /// As `vault_ids`.
    pub matter_ids: Option<HashSet<String>>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
}

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

impl Subscription {
    /// All rules but the filters.
    fn admits(&self, event: &EventFacts<'_>, clock_tolerance_ms: i64) -> bool {
        event.timestamp_ms.saturating_add(clock_tolerance_ms) >= self.created_at_ms
            && event
                .required_scope
                .is_none_or(|scope| self.scopes.iter().any(|held| held == scope))
            && self.admits_resource(event.resource)
    }

    fn admits_resource(&self, resource: Resource<'_>) -> bool {
        let lists = |ids: &Option<HashSet<String>>, id: Option<&str>| {
            ids.as_ref().zip(id).is_some_and(|(ids, id)| ids.contains(id))
        };
        match resource {
            _ if self.vault_ids.is_none() && self.matter_ids.is_none() => true,
            Resource::None => false,
            Resource::Vault(id) => lists(&self.vault_ids, id),
            Resource::Matter(id) => lists(&self.matter_ids, id),
        }
    }
}

/// Subscriptions by endpoint id: what hangs at a name or at a node of the trie.
type Hanging = OrdMap<Arc<str>, Arc<Subscription>>;

#[derive(Debug, Clone, Default)]
struct Tenant {
    exact: HashMap<Arc<str>, Hanging>,
    prefixes: trie::Node,
}

/// The matching index. Clone it to publish a snapshot: O(1), and later changes don't touch the clone.
#[derive(Debug, Clone, Default)]
pub struct Index {
    tenants: HashMap<Arc<str>, Tenant>,
    endpoints: HashMap<Arc<str>, Arc<Subscription>>,
}

impl Index {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an endpoint, or replaces the one with its id.
    pub fn insert(&mut self, subscription: Subscription) {
        self.remove(&subscription.endpoint_id);
        let subscription = Arc::new(subscription);
        let tenant = self.tenants.entry(Arc::clone(&subscription.tenant)).or_default();
        for filter in &subscription.filters {
            match filter {
                Filter::Exact(name) => {
                    let hanging = tenant.exact.entry(name.as_str().into()).or_default();
                    hanging.insert(Arc::clone(&subscription.endpoint_id), Arc::clone(&subscription));
                }
                Filter::Prefix(prefix) => tenant.prefixes.insert(trie::segments(prefix), &subscription),
                Filter::All => tenant.prefixes.insert(std::iter::empty(), &subscription),
            }
        }
        self.endpoints
            .insert(Arc::clone(&subscription.endpoint_id), subscription);
    }

    /// Removes an endpoint; one that isn't there is fine.
    pub fn remove(&mut self, endpoint_id: &str) {
        let Some(subscription) = self.endpoints.remove(endpoint_id) else {
            return;
        };
        let Some(tenant) = self.tenants.get_mut(&subscription.tenant) else {
            return;
        };
        for filter in &subscription.filters {
            match filter {
                Filter::Exact(name) => {
                    let is_empty = tenant.exact.get_mut(name.as_str()).is_some_and(|hanging| {
                        hanging.remove(endpoint_id);
                        hanging.is_empty()
                    });
                    if is_empty {
                        tenant.exact.remove(name.as_str());
                    }
                }
                Filter::Prefix(prefix) => tenant.prefixes.remove(&mut trie::segments(prefix), endpoint_id),
                Filter::All => tenant.prefixes.remove(&mut std::iter::empty(), endpoint_id),
            }
        }
        if tenant.exact.is_empty() && tenant.prefixes.is_empty() {
            self.tenants.remove(&subscription.tenant);
        }
    }

    /// The endpoints that the event is for, each once, in the order of their ids. An event that is older than an
    /// endpoint's creation by more than `clock_tolerance_ms` isn't for it.
    #[must_use]
    pub fn matches(&self, event: &EventFacts<'_>, clock_tolerance_ms: i64) -> Vec<Arc<str>> {
        let Some(tenant) = self.tenants.get(event.tenant) else {
            return Vec::new();
        };
        let mut ids = Vec::new();
        let mut take = |hanging: &Hanging| {
            for (id, subscription) in hanging {
                if subscription.admits(event, clock_tolerance_ms) {
                    crate::invariant!(6, &*subscription.tenant == event.tenant, "endpoint {id}");
                    ids.push(Arc::clone(id));
                }
            }
        };
        if let Some(hanging) = tenant.exact.get(event.event_type) {
            take(hanging);
        }
        tenant.prefixes.visit(event.event_type, &mut take);
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The endpoint with this id, of whatever tenant.
    #[must_use]
    pub fn get(&self, endpoint_id: &str) -> Option<&Arc<Subscription>> {
        self.endpoints.get(endpoint_id)
    }

    /// How many endpoints it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.endpoints.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }
}

#[cfg(test)]
mod tests;
