//! What has waited in memory until it is of no use any more.

use super::{Queue, Queues, Waiting};
use delivery_core::outcome::is_expired;
use std::collections::VecDeque;

impl Queues {
    /// Takes out what waits for an open circuit, its schedule having come to its end.
    pub(crate) fn take_outlived(&mut self, now_ms: i64) -> Vec<Waiting> {
        let mut taken = Vec::new();
        for queue in self.by_endpoint.values_mut() {
            if !queue.health.is_some_and(|health| health.is_open()) {
                continue;
            }
            let Queue {
                returned, new, bytes, ..
            } = queue;
            let outlived = |w: &Waiting| w.delivery.last_due_at_ms.is_some_and(|at_ms| at_ms <= now_ms);
            for waiting in [returned, new] {
                if !waiting.iter().any(outlived) {
                    continue;
                }
                let (dead, kept): (VecDeque<_>, VecDeque<_>) = waiting.drain(..).partition(outlived);
                *bytes -= dead.iter().map(|w| w.share.bytes()).sum::<usize>();
                *waiting = kept;
                taken.extend(dead);
            }
        }
        taken
    }

    /// Takes out what is older than `max_age_ms`, the first of each endpoint and those that come next. At most `portion`.
    pub(crate) fn take_expired(&mut self, now_ms: i64, max_age_ms: i64, portion: usize) -> Vec<Waiting> {
        let mut taken = Vec::new();
        for queue in self.by_endpoint.values_mut() {
            let Queue {
                returned, new, bytes, ..
            } = queue;
            for waiting_queue in [returned, new] {
                while taken.len() < portion
                    && let Some(waiting) =
                        waiting_queue.pop_front_if(|w| is_expired(now_ms, w.delivery.matched_at_ms, max_age_ms))
                {
                    *bytes -= waiting.share.bytes();
                    taken.push(waiting);
                }
            }
        }
        taken
    }
}
