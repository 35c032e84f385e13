//! One tenant's endpoints. Those without a resource scope are found by the type alone. Those with one are found by the
//! type and by the resource's id, whichever has fewer: a thousand endpoints with the same wildcard and each its own vault
//! are as quick as a thousand with a name each for the same vault.

use super::{
    EventFacts, HashMap, Ids, Resource, Subscription,
    by_type::{ByType, remove_hanging},
    hanging::Hanging,
};
use std::sync::Arc;

#[derive(Debug, Clone, Default)]
pub(super) struct Tenant {
    open: ByType,
    /// None without an endpoint that has a resource scope, as in most tenants.
    scoped: Option<Box<Scoped>>,
}

/// Endpoints with a resource scope, each found by its filters and by its ids: the sum of both in memory, never the
/// product.
#[derive(Debug, Clone, Default)]
struct Scoped {
    by_type: ByType,
    vaults: HashMap<Arc<str>, Hanging>,
    matters: HashMap<Arc<str>, Hanging>,
}

impl Tenant {
    /// Adds an endpoint that isn't there.
    pub(super) fn insert(&mut self, subscription: &Arc<Subscription>) {
        if subscription.is_scoped() {
            self.scoped.get_or_insert_default().insert(subscription);
        } else {
            self.open.insert(subscription);
        }
    }

    pub(super) fn remove(&mut self, subscription: &Subscription) {
        if !subscription.is_scoped() {
            self.open.remove(subscription);
        } else if let Some(scoped) = &mut self.scoped {
            scoped.remove(subscription);
            if scoped.by_type.is_empty() {
                self.scoped = None;
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.scoped.is_none()
    }

    /// Visits all whose filters name the event's type and whose resource scope may let it pass; some more than once.
    pub(super) fn visit<'a>(&'a self, event: &EventFacts<'_>, visit: &mut impl FnMut(&'a Subscription)) {
        self.open
            .visit(event.event_type, &mut |hanging| hanging.for_each(visit));
        if let Some(scoped) = &self.scoped {
            scoped.visit(event, visit);
        }
    }
}

impl Scoped {
    fn insert(&mut self, subscription: &Arc<Subscription>) {
        self.by_type.insert(subscription);
        for (ids, map) in [
            (&subscription.vault_ids, &mut self.vaults),
            (&subscription.matter_ids, &mut self.matters),
        ] {
            for id in ids.iter().flat_map(Ids::iter) {
                map.entry(Arc::clone(id)).or_default().insert(subscription);
            }
        }
    }

    fn remove(&mut self, subscription: &Subscription) {
        self.by_type.remove(subscription);
        for (ids, map) in [
            (&subscription.vault_ids, &mut self.vaults),
            (&subscription.matter_ids, &mut self.matters),
        ] {
            for id in ids.iter().flat_map(Ids::iter) {
                remove_hanging(map, id, &subscription.endpoint_id);
            }
        }
    }

    fn visit<'a>(&'a self, event: &EventFacts<'_>, visit: &mut impl FnMut(&'a Subscription)) {
        let of_resource = match event.resource {
            Resource::Vault(Some(id)) => self.vaults.get(id),
            Resource::Matter(Some(id)) => self.matters.get(id),
            Resource::None | Resource::Vault(None) | Resource::Matter(None) => None,
        };
        let Some(of_resource) = of_resource else {
            return;
        };
        let mut of_type = 0;
        self.by_type
            .visit(event.event_type, &mut |hanging| of_type += hanging.len());
        if of_type < of_resource.len() {
            self.by_type
                .visit(event.event_type, &mut |hanging| hanging.for_each(visit));
        } else {
            of_resource.for_each(&mut |subscription| {
                if subscription.covers(event.event_type) {
                    visit(subscription);
                }
            });
        }
    }
}
