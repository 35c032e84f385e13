//! When the oldest record of a stream that isn't done was written, to within a second: so that nothing is remembered for
//! each record.

use crate::readers::Class;
use runtime::oldest_waiting::{self, Seat};
use std::collections::VecDeque;

const STEP_MS: u64 = 1_000;
/// Beyond that the age of what is oldest may be overstated.
const MOST_MARKS: usize = 4_096;

/// Offsets with the times at which they were written, at least [`STEP_MS`] apart.
#[derive(Debug)]
pub(crate) struct Oldest {
    seat: Seat,
    marks: VecDeque<(i64, i64)>,
}

impl Oldest {
    pub(crate) fn new(class: Class) -> Self {
        let class = match class {
            Class::Lanes => oldest_waiting::Class::Lanes,
            Class::Returns => oldest_waiting::Class::Returns,
            Class::Dedicated => oldest_waiting::Class::Dedicated,
        };
        Self {
            seat: Seat::take(class),
            marks: VecDeque::new(),
        }
    }

    /// Takes note of the next record.
    pub(crate) fn read(&mut self, offset: i64, written_ms: i64) {
        let is_mark = self
            .marks
            .back()
            .is_none_or(|(_, last_ms)| written_ms.abs_diff(*last_ms) >= STEP_MS);
        if is_mark && self.marks.len() < MOST_MARKS {
            self.marks.push_back((offset, written_ms));
        }
    }

    /// Says since when it has waited; `first`: the first record that isn't done.
    pub(crate) fn measure(&mut self, first: Option<i64>) {
        match first {
            None => self.marks.clear(),
            Some(first) => {
                while self.marks.get(1).is_some_and(|(offset, _)| *offset <= first) {
                    self.marks.pop_front();
                }
            }
        }
        self.seat.set(self.marks.front().map(|(_, written_ms)| *written_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_kept_a_second_apart_and_only_for_what_waits() {
        let mut oldest = Oldest::new(Class::Lanes);
        for (offset, written_ms) in [(10, 5_000), (11, 5_100), (12, 6_200), (13, 6_300), (14, 9_000)] {
            oldest.read(offset, written_ms);
        }
        assert_eq!(oldest.marks, [(10, 5_000), (12, 6_200), (14, 9_000)]);
        oldest.measure(Some(11));
        assert_eq!(oldest.marks[0], (10, 5_000));
        oldest.measure(Some(13));
        assert_eq!(oldest.marks, [(12, 6_200), (14, 9_000)]);
        oldest.measure(None);
        assert!(oldest.marks.is_empty());
    }
}
