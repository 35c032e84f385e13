//! The outcomes of the last day, by request id: a repeated request is answered the same and applied once. Bounded in
//! number and in bytes.

use super::recall;
use schemas::LedgerOutcome;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// Most outcomes remembered.
pub(super) const MAX: usize = 100_000;
/// Most bytes of the answers that they hold: some 40,000 of usual size.
const MAX_ANSWER_BYTES: usize = 64 << 20;

#[derive(Debug, Default)]
pub(super) struct Decided {
    by_request: HashMap<Arc<str>, Arc<LedgerOutcome>>,
    oldest_first: VecDeque<Arc<str>>,
    answer_bytes: usize,
}

impl Decided {
    pub(super) fn get(&self, request_id: &str) -> Option<&Arc<LedgerOutcome>> {
        self.by_request.get(request_id)
    }

    pub(super) fn insert(&mut self, outcome: Arc<LedgerOutcome>) {
        if recall::is_of_a_question(&outcome) {
            return;
        }
        let id: Arc<str> = outcome.request_id.as_str().into();
        self.answer_bytes += answer_bytes(&outcome);
        match self.by_request.insert(id.clone(), outcome) {
            None => self.oldest_first.push_back(id),
            Some(before) => self.answer_bytes -= answer_bytes(&before),
        }
        while (self.oldest_first.len() > MAX || self.answer_bytes > MAX_ANSWER_BYTES)
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            if let Some(forgotten) = self.by_request.remove(&oldest) {
                self.answer_bytes -= answer_bytes(&forgotten);
            }
        }
    }
}

fn answer_bytes(outcome: &LedgerOutcome) -> usize {
    outcome.answer.as_ref().map_or(0, Vec::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(n: usize, answer: Option<Vec<u8>>) -> Arc<LedgerOutcome> {
        Arc::new(LedgerOutcome {
            request_id: n.to_string(),
            decided_at_ms: 0,
            accepted: true,
            version: 1,
            ledger_offset: 0,
            code: None,
            message: None,
            answer,
        })
    }

    #[test]
    fn remembers_the_newest() {
        let mut decided = Decided::default();
        for n in 0..=MAX {
            decided.insert(outcome(n, None));
            decided.insert(outcome(n, None));
        }
        assert!(decided.get("0").is_none() && decided.get("1").is_some());
        assert_eq!((decided.by_request.len(), decided.oldest_first.len()), (MAX, MAX));
    }

    #[test]
    fn answers_are_bounded_in_bytes() {
        let mut decided = Decided::default();
        let half = || Some(vec![0; MAX_ANSWER_BYTES / 2]);
        for n in 0..4 {
            decided.insert(outcome(n, half()));
            decided.insert(outcome(n, half()));
        }
        assert!(decided.get("1").is_none() && decided.get("2").is_some() && decided.get("3").is_some());
        assert_eq!(decided.answer_bytes, MAX_ANSWER_BYTES);
    }
}
