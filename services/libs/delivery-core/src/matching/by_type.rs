//! Endpoints by their filters: exact names in a hash, prefixes in a trie.

use super::{HashMap, Subscription, hanging::Hanging, trie};
use crate::filter::Filter;
use std::{iter, sync::Arc};

#[derive(Debug, Clone, Default)]
pub(super) struct ByType {
    exact: HashMap<Arc<str>, Hanging>,
    prefixes: trie::Node,
}

impl ByType {
    pub(super) fn insert(&mut self, subscription: &Arc<Subscription>) {
        for filter in &subscription.filters {
            match filter {
                Filter::Exact(name) => self.exact.entry(Arc::clone(name)).or_default().insert(subscription),
                Filter::Prefix(prefix) => self.prefixes.insert(trie::segments(prefix), subscription),
                Filter::All => self.prefixes.insert(iter::empty(), subscription),
            }
        }
    }

    pub(super) fn remove(&mut self, subscription: &Subscription) {
        let id = &*subscription.endpoint_id;
        for filter in &subscription.filters {
            match filter {
                Filter::Exact(name) => remove_hanging(&mut self.exact, name, id),
                Filter::Prefix(prefix) => self.prefixes.remove(&mut trie::segments(prefix), id),
                Filter::All => self.prefixes.remove(&mut iter::empty(), id),
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.prefixes.is_empty()
    }

    /// Visits all whose filters name the type; one with several such filters several times.
    pub(super) fn visit<'a>(&'a self, event_type: &str, take: &mut impl FnMut(&'a Hanging)) {
        if let Some(hanging) = self.exact.get(event_type) {
            take(hanging);
        }
        self.prefixes.visit(event_type, take);
    }
}

/// Removes an endpoint from what hangs at `key`, and the key with the last one.
pub(super) fn remove_hanging(map: &mut HashMap<Arc<str>, Hanging>, key: &str, endpoint_id: &str) {
    let is_empty = map.get_mut(key).is_some_and(|hanging| {
        hanging.remove(endpoint_id);
        hanging.is_empty()
    });
    if is_empty {
        map.remove(key);
    }
}
