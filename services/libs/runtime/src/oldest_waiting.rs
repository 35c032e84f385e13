//! How long the oldest record has waited, by topic class: `hookline_oldest_waiting_seconds`. Whoever owns partitions takes
//! a seat for each and keeps its time up to date; the age is worked out when somebody asks. What waiting means is the
//! role's business.

use crate::clock::now_ms;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};

const NOTHING: i64 = i64::MAX;

/// Where a record waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Source,
    Lanes,
    Dedicated,
    Returns,
    Retry,
    /// Of the log, until the history has it.
    Log,
}

impl Class {
    const ALL: [Self; 6] = [
        Self::Source,
        Self::Lanes,
        Self::Dedicated,
        Self::Returns,
        Self::Retry,
        Self::Log,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Lanes => "lanes",
            Self::Dedicated => "dedicated",
            Self::Returns => "returns",
            Self::Retry => "retry",
            Self::Log => "log",
        }
    }
}

static SEATS: Mutex<Vec<(Class, Weak<AtomicI64>)>> = Mutex::new(Vec::new());

/// One owner's word. Dropping it takes it back.
#[derive(Debug)]
pub struct Seat(Arc<AtomicI64>);

impl Seat {
    /// A new one where nothing waits.
    #[must_use]
    pub fn take(class: Class) -> Self {
        let since_ms = Arc::new(AtomicI64::new(NOTHING));
        let mut seats = SEATS.lock();
        seats.retain(|(_, seat)| seat.strong_count() > 0);
        seats.push((class, Arc::downgrade(&since_ms)));
        Self(since_ms)
    }

    /// Since when the oldest one has waited, Unix milliseconds; None: nothing waits.
    pub fn set(&self, since_ms: Option<i64>) {
        self.0.store(since_ms.unwrap_or(NOTHING), Ordering::Relaxed);
    }
}

/// Brings the gauge up to date.
pub(crate) fn measure() {
    let now_ms = now_ms();
    for (class, age_ms) in ages_ms(now_ms) {
        let gauge = metrics::gauge!("hookline_oldest_waiting_seconds", "topic_class" => class.as_str());
        gauge.set(age_ms as f64 / 1000.0);
    }
}

fn ages_ms(now_ms: i64) -> [(Class, i64); Class::ALL.len()] {
    let mut ages = Class::ALL.map(|class| (class, 0));
    for (class, seat) in SEATS.lock().iter() {
        let since_ms = seat.upgrade().map_or(NOTHING, |seat| seat.load(Ordering::Relaxed));
        if let Some((_, age_ms)) = ages.iter_mut().find(|(known, _)| known == class) {
            *age_ms = (*age_ms).max(now_ms.saturating_sub(since_ms));
        }
    }
    ages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_a_class_counts_and_a_seat_left_doesnt() {
        let age = |class: Class| ages_ms(10_000)[class as usize];
        let (one, other) = (Seat::take(Class::Returns), Seat::take(Class::Returns));
        assert_eq!(age(Class::Returns), (Class::Returns, 0));
        one.set(Some(9_000));
        other.set(Some(4_000));
        assert_eq!(age(Class::Returns), (Class::Returns, 6_000));
        drop(other);
        assert_eq!(age(Class::Returns), (Class::Returns, 1_000));
        one.set(None);
        assert_eq!(age(Class::Returns), (Class::Returns, 0));
        assert_eq!(age(Class::Retry), (Class::Retry, 0));
    }
}
