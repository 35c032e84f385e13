//! The trie of one tenant's prefix filters, by segments of the type's name. `*` hangs at its root.

use super::{HashMap, Subscription, hanging::Hanging};
use std::sync::Arc;

/// A prefix, and what is below it.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    hanging: Hanging,
    children: HashMap<Arc<str>, Node>,
}

/// Segments of a prefix or a type's name.
pub(super) fn segments(name: &str) -> impl Iterator<Item = &str> {
    name.split('.')
}

impl Node {
    pub(super) fn insert<'a>(&mut self, path: impl Iterator<Item = &'a str>, subscription: &Arc<Subscription>) {
        let mut node = self;
        for segment in path {
            node = node.children.entry(segment.into()).or_default();
        }
        node.hanging.insert(subscription);
    }

    /// Removes the endpoint at the path's end, and nodes that nothing hangs at or below any more.
    pub(super) fn remove(&mut self, path: &mut dyn Iterator<Item = &str>, endpoint_id: &str) {
        let Some(segment) = path.next() else {
            self.hanging.remove(endpoint_id);
            return;
        };
        let is_empty = self.children.get_mut(segment).is_some_and(|child| {
            child.remove(path, endpoint_id);
            child.is_empty()
        });
        if is_empty {
            self.children.remove(segment);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hanging.is_empty() && self.children.is_empty()
    }

    /// Visits what hangs at every proper prefix of the type's name, the empty one included.
    pub(super) fn visit<'a>(&'a self, event_type: &str, take: &mut impl FnMut(&'a Hanging)) {
        let mut node = self;
        take(&node.hanging);
        let mut path = segments(event_type).peekable();
        while let Some(segment) = path.next() {
            let Some(child) = node.children.get(segment) else {
                return;
            };
            if path.peek().is_some() {
                take(&child.hanging);
            }
            node = child;
        }
    }
}
