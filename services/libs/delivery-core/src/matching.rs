//! Which endpoints an event is for: per tenant, exact names in a hash, prefixes in a trie of segments, resource scopes in
//! a hash of their ids. An index, not a scan. All of it is persistent maps, so a clone is O(1) and a change copies a path,
//! not the world. It knows no states: whoever fills it leaves out endpoints that match nothing.

mod by_type;
mod hanging;
mod shared;
mod subscription;
mod tenant;
mod trie;

pub use subscription::{EventFacts, Ids, Mismatch, Resource, Subscription};

use imbl::{GenericHashMap, OrdMap, shared_ptr::DefaultSharedPtr};
use std::sync::Arc;
use tenant::Tenant;

/// Hashing was a quarter of matching with the standard library's hash. This one's seeds are each process's own too.
type HashMap<K, V> = GenericHashMap<K, V, foldhash::quality::RandomState, DefaultSharedPtr>;

/// The matching index. Clone it to publish a snapshot: O(1), and later changes don't touch the clone.
#[derive(Debug, Clone, Default)]
pub struct Index {
    tenants: HashMap<Arc<str>, Arc<Tenant>>,
    /// Only changes look here: in order it takes less room than in a hash.
    endpoints: OrdMap<Arc<str>, Arc<Subscription>>,
    scopes: shared::Scopes,
}

impl Index {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an endpoint, or replaces the one with its id.
    pub fn insert(&mut self, mut subscription: Subscription) {
        self.remove(&subscription.endpoint_id);
        subscription.scopes = self.scopes.take(&subscription.scopes);
        // One text for all of a tenant's endpoints.
        if let Some((tenant, _)) = self.tenants.get_key_value(&subscription.tenant) {
            subscription.tenant = Arc::clone(tenant);
        }
        let subscription = Arc::new(subscription);
        let tenant = self.tenants.entry(Arc::clone(&subscription.tenant)).or_default();
        Arc::make_mut(tenant).insert(&subscription);
        self.endpoints
            .insert(Arc::clone(&subscription.endpoint_id), subscription);
    }

    /// Removes an endpoint; one that isn't there is fine.
    pub fn remove(&mut self, endpoint_id: &str) {
        let Some(subscription) = self.endpoints.remove(endpoint_id) else {
            return;
        };
        self.scopes.give_back(&subscription.scopes);
        let Some(tenant) = self.tenants.get_mut(&subscription.tenant) else {
            return;
        };
        let tenant = Arc::make_mut(tenant);
        tenant.remove(&subscription);
        if tenant.is_empty() {
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
        tenant.visit(event, &mut |subscription| {
            if subscription.admits(event, clock_tolerance_ms) {
                let id = &subscription.endpoint_id;
                crate::invariant!(6, &*subscription.tenant == event.tenant, "endpoint {id}");
                ids.push(Arc::clone(id));
            }
        });
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
