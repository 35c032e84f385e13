//! Lists of scopes, each once: there are few, and endpoints are many.

use super::HashMap;
use std::sync::Arc;

/// With how many endpoints have it.
#[derive(Debug, Clone, Default)]
pub(super) struct Scopes(HashMap<Arc<[String]>, usize>);

impl Scopes {
    /// The one list that equals this one, for one endpoint more.
    pub(super) fn take(&mut self, scopes: &Arc<[String]>) -> Arc<[String]> {
        let known = self.0.get_key_value(scopes).map(|(known, _)| Arc::clone(known));
        let shared = known.unwrap_or_else(|| Arc::clone(scopes));
        *self.0.entry(Arc::clone(&shared)).or_default() += 1;
        shared
    }

    /// One endpoint less has it.
    pub(super) fn give_back(&mut self, scopes: &Arc<[String]>) {
        let is_last = self.0.get_mut(scopes).is_some_and(|endpoints| {
            *endpoints -= 1;
            *endpoints == 0
        });
        if is_last {
            self.0.remove(scopes);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
