//! Whether this process is ready: every part that registered says so. Each role decides what ready means for it. Before
//! the first has registered nobody can say so: it isn't.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type Check = (String, Arc<AtomicBool>);

/// What is waited for while nothing has registered.
const BEGINNING: &str = "its beginning";

/// The checks of one process. Cheap to clone; clones share the checks.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    checks: Arc<Mutex<Vec<Check>>>,
}

impl Readiness {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check, not ready at first. Its owner stores true when it is, and false when it no longer is. A name that
    /// is registered again replaces the former check.
    pub fn register(&self, name: &str) -> Arc<AtomicBool> {
        let check = Arc::new(AtomicBool::new(false));
        let mut checks = self.checks.lock();
        checks.retain(|(known, _)| known != name);
        checks.push((name.to_owned(), Arc::clone(&check)));
        check
    }

    /// Names of the checks that are not ready, in the order of their registration; empty when the process is.
    #[must_use]
    pub fn waiting_for(&self) -> Vec<String> {
        let checks = self.checks.lock();
        if checks.is_empty() {
            return vec![BEGINNING.to_owned()];
        }
        checks
            .iter()
            .filter(|(_, ready)| !ready.load(Ordering::Acquire))
            .map(|(name, _)| name.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_ready_when_every_check_is() {
        let readiness = Readiness::new();
        assert_eq!(readiness.waiting_for(), [BEGINNING], "nobody has said so");
        let (view, group) = (readiness.register("ledger view"), readiness.clone().register("group"));
        view.store(true, Ordering::Release);
        assert_eq!(readiness.waiting_for(), ["group"]);
        group.store(true, Ordering::Release);
        assert!(readiness.waiting_for().is_empty());
        readiness.register("group");
        assert_eq!(readiness.waiting_for(), ["group"], "a restarted part is not ready");
    }
}
