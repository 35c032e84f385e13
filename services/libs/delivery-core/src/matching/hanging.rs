//! The endpoints at one place of the index: at a name, at a node of the trie, at a resource's id. Mostly one or a few,
//! which a slice holds in little room; many are a persistent map, so that a change doesn't copy them all.

use super::Subscription;
use imbl::OrdMap;
use std::{mem, sync::Arc};

/// Most endpoints in a slice: a change copies it.
const FEW: usize = 16;

#[derive(Debug, Clone)]
pub(super) enum Hanging {
    Few(Arc<[Arc<Subscription>]>),
    /// By endpoint id.
    Many(OrdMap<Arc<str>, Arc<Subscription>>),
}

impl Default for Hanging {
    fn default() -> Self {
        Self::Few(Arc::default())
    }
}

impl Hanging {
    /// Adds an endpoint. One that is there already (by another of its filters) stays once.
    pub(super) fn insert(&mut self, subscription: &Arc<Subscription>) {
        match self {
            Self::Few(few) if few.iter().any(|held| Arc::ptr_eq(held, subscription)) => {}
            Self::Few(few) if few.len() < FEW => {
                let held = few.iter().cloned();
                *few = held.chain([Arc::clone(subscription)]).collect();
            }
            Self::Few(few) => {
                let all = mem::take(few);
                let all = all.iter().chain([subscription]);
                *self = Self::Many(
                    all.map(|held| (Arc::clone(&held.endpoint_id), Arc::clone(held)))
                        .collect(),
                );
            }
            Self::Many(many) => {
                many.insert(Arc::clone(&subscription.endpoint_id), Arc::clone(subscription));
            }
        }
    }

    /// Removes an endpoint; one that isn't there is fine.
    pub(super) fn remove(&mut self, endpoint_id: &str) {
        match self {
            Self::Few(few) => {
                let left = few.iter().filter(|held| *held.endpoint_id != *endpoint_id);
                *few = left.cloned().collect();
            }
            Self::Many(many) => {
                many.remove(endpoint_id);
                if many.len() <= FEW / 2 {
                    *self = Self::Few(many.values().cloned().collect());
                }
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(many) => many.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn for_each<'a>(&'a self, visit: &mut impl FnMut(&'a Subscription)) {
        match self {
            Self::Few(few) => few.iter().for_each(|held| visit(held)),
            Self::Many(many) => many.values().for_each(|held| visit(held)),
        }
    }
}
