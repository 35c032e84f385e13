//! Which names' last look-ups were slow. It forgets the oldest first, so it is a help, not a guarantee.

use std::collections::HashMap;

/// Most names remembered, of up to 253 bytes.
const MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct SlowNames {
    names: HashMap<Box<str>, Slow>,
    /// Look-ups so far, of all names.
    lookups: u64,
}

#[derive(Debug)]
struct Slow {
    times: u32,
    /// Which look-up was this name's last.
    last: u64,
}

impl SlowNames {
    /// How often the name was slow since it was last quick, as far as is remembered.
    pub(super) fn times(&self, name: &str) -> u32 {
        self.names.get(name).map_or(0, |slow| slow.times)
    }

    /// It was slow, now or once more.
    pub(super) fn add(&mut self, name: &str) {
        let times = self.times(name).saturating_add(1);
        if times == 1 && self.names.len() == MAX {
            self.forget_oldest();
        }
        self.lookups += 1;
        let last = self.lookups;
        self.names.insert(name.into(), Slow { times, last });
    }

    /// It was quick.
    pub(super) fn remove(&mut self, name: &str) {
        self.names.remove(name);
    }

    /// Reads them all. That is seldom: each new name has held one of few threads for a second.
    fn forget_oldest(&mut self) {
        let oldest = self.names.iter().min_by_key(|(_, slow)| slow.last);
        if let Some(name) = oldest.map(|(name, _)| name.clone()) {
            self.names.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_name_that_was_slow_the_longest_time_ago() {
        let mut slow = SlowNames::default();
        for number in 0..MAX {
            slow.add(&number.to_string());
        }
        slow.add("0");
        slow.add("one more");
        let times = ["0", "1", "2", "one more"].map(|name| slow.times(name));
        assert_eq!((times, slow.names.len()), ([2, 0, 1, 1], MAX));
    }
}
