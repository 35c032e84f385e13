//! Windows of bytes: what was read of a partition and is still in somebody's hands bounds what is read of it next.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Bytes that the windows of many partitions share: each may hold as much as half of what is free of them at that moment
/// (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches"), and one record in any case.
#[derive(Debug)]
pub struct WindowPool {
    max_bytes: AtomicUsize,
    used: AtomicUsize,
}

impl WindowPool {
    pub fn new(max_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            max_bytes: AtomicUsize::new(max_bytes),
            used: AtomicUsize::new(0),
        })
    }

    /// What is held beyond it stays; nothing more is read until it is less.
    pub fn resize(&self, max_bytes: usize) {
        self.max_bytes.store(max_bytes, Ordering::Relaxed);
    }

    fn limit(&self) -> usize {
        let max_bytes = self.max_bytes.load(Ordering::Relaxed);
        max_bytes.saturating_sub(self.used.load(Ordering::Relaxed)) / 2
    }
}

/// One partition's.
#[derive(Debug)]
pub(crate) struct Window {
    held: AtomicUsize,
    most_bytes: usize,
    pool: Option<Arc<WindowPool>>,
}

impl Window {
    pub(crate) fn new(most_bytes: usize, pool: Option<Arc<WindowPool>>) -> Arc<Self> {
        Arc::new(Self {
            held: AtomicUsize::new(0),
            most_bytes,
            pool,
        })
    }

    /// Nothing more may be read.
    pub(crate) fn is_full(&self) -> bool {
        self.held.load(Ordering::Relaxed) >= self.limit()
    }

    /// There is room for a while again.
    pub(crate) fn has_room(&self) -> bool {
        self.held.load(Ordering::Relaxed) <= self.limit() / 4
    }

    fn limit(&self) -> usize {
        let of_pool = self.pool.as_ref().map_or(usize::MAX, |pool| pool.limit());
        self.most_bytes.min(of_pool).max(1)
    }
}

/// Bytes taken from a window; dropping it gives them back.
#[derive(Debug)]
pub struct Credit {
    bytes: usize,
    window: Arc<Window>,
}

impl Credit {
    pub(crate) fn take(window: &Arc<Window>, bytes: usize) -> Self {
        window.held.fetch_add(bytes, Ordering::Relaxed);
        if let Some(pool) = &window.pool {
            pool.used.fetch_add(bytes, Ordering::Relaxed);
        }
        Self {
            bytes,
            window: window.clone(),
        }
    }

    /// Size of the record: key, value and a fixed overhead, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        self.window.held.fetch_sub(self.bytes, Ordering::Relaxed);
        if let Some(pool) = &self.window.pool {
            pool.used.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    //! Who may hold how much.
    use super::{Credit, Window, WindowPool};
    use std::sync::{Arc, atomic::Ordering};

    fn fill(window: &Arc<Window>) -> Vec<Credit> {
        let mut held = Vec::new();
        while !window.is_full() {
            held.push(Credit::take(window, 10));
        }
        held
    }

    #[test]
    fn however_many_are_full_one_after_the_other_they_stay_within_what_they_share() {
        let pool = WindowPool::new(100_000);
        let mut held = Vec::new();
        for number in 0..500 {
            let window = Window::new(16_000, Some(pool.clone()));
            let credits = fill(&window);
            assert!(!credits.is_empty(), "number {number} gets nothing");
            assert!(credits.len() <= 1_600, "number {number} gets more than its own window");
            held.extend(credits);
        }
        let used = pool.used.load(Ordering::Relaxed);
        assert!((90_000..=100_000 + 500 * 10).contains(&used), "{used}");
        drop(held);
        assert_eq!(pool.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_pool_that_is_made_smaller_takes_one_record_of_each_at_most() {
        let pool = WindowPool::new(1_000);
        let (one, other) = (
            Window::new(1_000, Some(pool.clone())),
            Window::new(1_000, Some(pool.clone())),
        );
        let ones = fill(&one);
        pool.resize(100);
        assert!(one.is_full() && !one.has_room());
        assert_eq!(fill(&other).len(), 1);
        drop(ones);
        assert!(one.has_room());
    }

    #[test]
    fn a_window_has_room_at_a_quarter_and_when_others_give_back() {
        let pool = WindowPool::new(1_000);
        let (one, other) = (Window::new(1_000, Some(pool.clone())), Window::new(1_000, Some(pool)));
        let (mut ones, others) = (fill(&one), fill(&other));
        assert!(one.is_full() && !one.has_room());
        ones.truncate(10);
        assert!(!one.has_room(), "100 of 1,000 while the other has its share");
        drop(others);
        assert!(one.has_room());
    }
}
