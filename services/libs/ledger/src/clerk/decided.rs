//! The outcomes of the last day, by request id: a repeated request is answered the same and applied once. Bounded.

use schemas::LedgerOutcome;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// Most outcomes remembered.
pub(super) const MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Decided {
    by_request: HashMap<Arc<str>, Arc<LedgerOutcome>>,
    oldest_first: VecDeque<Arc<str>>,
}

impl Decided {
    pub(super) fn get(&self, request_id: &str) -> Option<&Arc<LedgerOutcome>> {
        self.by_request.get(request_id)
    }

    pub(super) fn insert(&mut self, outcome: Arc<LedgerOutcome>) {
        let id: Arc<str> = outcome.request_id.as_str().into();
        if self.by_request.insert(id.clone(), outcome).is_none() {
            self.oldest_first.push_back(id);
        }
        if self.oldest_first.len() > MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_request.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_newest() {
        let mut decided = Decided::default();
        let outcome = |n: usize| LedgerOutcome {
            request_id: n.to_string(),
            decided_at_ms: 0,
            accepted: true,
            version: 1,
            ledger_offset: 0,
            code: None,
            message: None,
        };
        for n in 0..=MAX {
            decided.insert(Arc::new(outcome(n)));
            decided.insert(Arc::new(outcome(n)));
        }
        assert!(decided.get("0").is_none() && decided.get("1").is_some());
        assert_eq!((decided.by_request.len(), decided.oldest_first.len()), (MAX, MAX));
    }
}
