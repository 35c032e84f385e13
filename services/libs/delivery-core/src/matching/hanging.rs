//! The endpoints at one place of the index: at a name, at a node of the trie, at a resource's id. Mostly it is one, which
//! takes no memory of its own; a few are a slice; many are a persistent map, so that a change doesn't copy them all.

use super::Subscription;
use imbl::OrdMap;
use std::{slice, sync::Arc};

/// Most endpoints in a slice: a change copies it.
const FEW: usize = 16;

#[derive(Debug, Clone, Default)]
pub(super) enum Hanging {
    #[default]
    None,
    One(Arc<Subscription>),
    Few(Arc<[Arc<Subscription>]>),
    /// By endpoint id.
    Many(OrdMap<Arc<str>, Arc<Subscription>>),
}

impl Hanging {
    /// Adds an endpoint. One that is there already (by another of its filters) stays once.
    pub(super) fn insert(&mut self, subscription: &Arc<Subscription>) {
        if let Self::Many(many) = self {
            many.insert(Arc::clone(&subscription.endpoint_id), Arc::clone(subscription));
        } else if !self.few().iter().any(|held| Arc::ptr_eq(held, subscription)) {
            *self = Self::of(self.few().iter().chain([subscription]));
        }
    }

    /// Removes an endpoint; one that isn't there is fine.
    pub(super) fn remove(&mut self, endpoint_id: &str) {
        if let Self::Many(many) = self {
            many.remove(endpoint_id);
            // Not at once when it fits again: who goes to and fro would pay each time.
            if many.len() <= FEW / 2 {
                *self = Self::of(many.values());
            }
        } else {
            *self = Self::of(self.few().iter().filter(|held| *held.endpoint_id != *endpoint_id));
        }
    }

    fn of<'a>(endpoints: impl Iterator<Item = &'a Arc<Subscription>>) -> Self {
        let mut all: Vec<_> = endpoints.cloned().collect();
        match all.len() {
            0 => Self::None,
            1 => all.pop().map_or(Self::None, Self::One),
            2..=FEW => Self::Few(all.into()),
            _ => Self::Many(
                all.into_iter()
                    .map(|held| (Arc::clone(&held.endpoint_id), held))
                    .collect(),
            ),
        }
    }

    /// All, unless they are many.
    fn few(&self) -> &[Arc<Subscription>] {
        match self {
            Self::None | Self::Many(_) => &[],
            Self::One(one) => slice::from_ref(one),
            Self::Few(few) => few,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Many(many) => many.len(),
            Self::None | Self::One(_) | Self::Few(_) => self.few().len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn for_each<'a>(&'a self, visit: &mut impl FnMut(&'a Subscription)) {
        match self {
            Self::Many(many) => many.values().for_each(|held| visit(held)),
            Self::None | Self::One(_) | Self::Few(_) => self.few().iter().for_each(|held| visit(held)),
        }
    }
}
