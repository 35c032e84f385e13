//! The process's one budget of bytes for deliveries in memory, shared by dynamic thresholds.
//!
//! Of those read past others, an endpoint may hold as much as half of what is still free, a tenant's endpoints together as
//! much as all of it (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches"). So one
//! slow endpoint leaves room for all others without anybody counting them.
//!
//! Dedicated topics wait where they are, behind windows that share half of the budget, or what the others leave, by the
//! same rule: however many of them are full, the other half is left.

use kafka_log::WindowPool;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

/// Shared by all shards of the process.
#[derive(Debug)]
pub(crate) struct Budget {
    max_bytes: usize,
    windows: Arc<WindowPool>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By what windows bound.
    windowed: usize,
    /// By everything else, and by which tenants.
    taken: usize,
    tenants: HashMap<Arc<str>, usize>,
}

/// Bytes taken; dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    /// None: bounded by a window.
    tenant: Option<Arc<str>>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(max_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            max_bytes,
            windows: WindowPool::new(half(max_bytes)),
            state: Mutex::new(State::default()),
        })
    }

    /// Takes `bytes` for an endpoint that holds `endpoint_bytes` already; None when that would be more than its share. A
    /// tenant's only delivery is taken whenever it fits: however small the budget, each tenant's deliveries move.
    pub(crate) fn take(self: &Arc<Self>, tenant: &Arc<str>, endpoint_bytes: usize, bytes: usize) -> Option<Share> {
        let mut state = self.state.lock();
        let windowed = state.windowed.min(half(self.max_bytes));
        let free = self.max_bytes.saturating_sub(windowed + state.taken);
        let of_tenant = state.tenants.get(tenant).copied().unwrap_or(0);
        let too_much = endpoint_bytes + bytes > free / 2 || of_tenant + bytes > free;
        if bytes > free || (of_tenant > 0 && too_much) {
            return None;
        }
        state.taken += bytes;
        self.leave_to_windows(state.taken);
        *state.tenants.entry(tenant.clone()).or_default() += bytes;
        Some(Share {
            budget: self.clone(),
            tenant: Some(tenant.clone()),
            bytes,
        })
    }

    /// Takes `bytes` whatever is free: for what is bounded by a window.
    pub(crate) fn take_windowed(self: &Arc<Self>, bytes: usize) -> Share {
        self.state.lock().windowed += bytes;
        Share {
            budget: self.clone(),
            tenant: None,
            bytes,
        }
    }

    /// What all windows share.
    pub(crate) fn windows(&self) -> Arc<WindowPool> {
        self.windows.clone()
    }

    fn leave_to_windows(&self, taken: usize) {
        let rest = self.max_bytes.saturating_sub(taken);
        self.windows.resize(rest.min(half(self.max_bytes)));
    }

    pub(crate) fn used(&self) -> usize {
        let state = self.state.lock();
        state.windowed + state.taken
    }
}

/// Most that all windows together may hold.
fn half(max_bytes: usize) -> usize {
    max_bytes / 2
}

impl Share {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.budget.state.lock();
        let Some(tenant) = &self.tenant else {
            state.windowed -= self.bytes;
            return;
        };
        state.taken -= self.bytes;
        self.budget.leave_to_windows(state.taken);
        if let Some(of_tenant) = state.tenants.get_mut(tenant) {
            *of_tenant -= self.bytes;
            if *of_tenant == 0 {
                state.tenants.remove(tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;
    use std::sync::Arc;

    #[test]
    fn one_endpoint_leaves_room_for_the_others() {
        let budget = Budget::new(1000);
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut held = Vec::new();
        let mut bytes = 0;
        while let Some(share) = budget.take(&a, bytes, 10) {
            bytes += 10;
            held.push(share);
        }
        assert!(
            (300..=340).contains(&bytes),
            "an endpoint alone gets a third, got {bytes}"
        );
        assert!(budget.take(&b, 0, 300).is_some(), "another tenant still has room");
    }

    #[test]
    fn a_tenant_cannot_take_all_with_many_endpoints() {
        let budget = Budget::new(1000);
        let a: Arc<str> = "a".into();
        let held: Vec<_> = std::iter::from_fn(|| budget.take(&a, 0, 10)).take(200).collect();
        assert_eq!(held.len(), 50, "a tenant alone gets half");
        drop(held);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn full_windows_leave_half_to_every_tenant() {
        let budget = Budget::new(1000);
        let windowed = budget.take_windowed(700);
        let a: Arc<str> = "a".into();
        let held: Vec<_> = std::iter::from_fn(|| budget.take(&a, 0, 10)).take(200).collect();
        assert_eq!(
            held.len(),
            25,
            "a tenant alone gets half of the rest, whosever the windows are"
        );
        assert_eq!(budget.used(), 950);
        drop((held, windowed));
        assert_eq!(budget.used(), 0);
    }
}
