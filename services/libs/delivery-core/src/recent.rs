//! The bounded recent set of a shard: drops the repeats that crashes make upstream. It forgets the oldest first, so it
//! is a help, not a guarantee: correctness never depends on it.

use std::collections::{HashSet, VecDeque};

/// The last `capacity` keys that were inserted.
#[derive(Debug)]
pub struct RecentSet {
    capacity: usize,
    known: HashSet<u128>,
    order: VecDeque<u128>,
}

impl RecentSet {
    /// At most `capacity` keys are remembered, about 50 bytes each; memory grows with use. 0 remembers nothing.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            known: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    /// True when the key is new. An old one keeps its age.
    pub fn insert(&mut self, key: u128) -> bool {
        if self.capacity == 0 {
            return true;
        }
        if !self.known.insert(key) {
            return false;
        }
        if self.order.len() == self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(key);
        true
    }

    #[must_use]
    pub fn contains(&self, key: u128) -> bool {
        self.known.contains(&key)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

/// Key of one attempt of a delivery. `attempt` is its number (1 for the first), over all generations.
#[must_use]
pub fn attempt_key(delivery_id: &str, generation: i32, attempt: i32) -> u128 {
    key(b'a', delivery_id, generation, attempt)
}

/// Key of a delivery that came to its end (delivered, dead or cancelled) in `generation`: whatever attempt a repeat
/// announces, there is nothing left to do.
#[must_use]
pub fn settled_key(delivery_id: &str, generation: i32) -> u128 {
    key(b's', delivery_id, generation, 0)
}

/// FNV-1a, 128 bits. Delivery ids are hashes themselves, so nobody outside can aim for a collision.
fn key(kind: u8, delivery_id: &str, generation: i32, attempt: i32) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    std::iter::once(kind)
        .chain(generation.to_le_bytes())
        .chain(attempt.to_le_bytes())
        .chain(delivery_id.bytes())
        .fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_not_new() {
        let mut recent = RecentSet::new(2);
        assert!(recent.insert(attempt_key("dlv_1", 0, 1)));
        assert!(!recent.insert(attempt_key("dlv_1", 0, 1)));
        assert!(recent.contains(attempt_key("dlv_1", 0, 1)));
    }

    #[test]
    fn forgets_the_oldest_first_and_never_holds_more_than_its_capacity_invariant_7() {
        let mut recent = RecentSet::new(3);
        for key in 0..10 {
            assert!(recent.insert(key));
            assert!(recent.len() <= 3 && recent.known.len() == recent.order.len());
        }
        assert!(!recent.contains(6) && recent.contains(7) && recent.contains(9));
        assert!(recent.insert(6), "what was forgotten is new again");
    }

    #[test]
    fn no_capacity_remembers_nothing() {
        let mut recent = RecentSet::new(0);
        assert!(recent.insert(1) && recent.insert(1) && recent.is_empty());
    }

    #[test]
    fn keys_differ_by_every_part() {
        let keys: HashSet<u128> = [
            attempt_key("dlv_1", 0, 1),
            attempt_key("dlv_1", 0, 2),
            attempt_key("dlv_1", 1, 1),
            attempt_key("dlv_2", 0, 1),
            attempt_key("dlv_1", 0, 0),
            settled_key("dlv_1", 0),
            settled_key("dlv_1", 1),
        ]
        .into();
        assert_eq!(keys.len(), 7);
    }
}
