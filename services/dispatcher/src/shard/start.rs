//! Starting requests: as many as permits, endpoints' limits and rates allow.

use super::Shard;
use crate::attempt::Job;
use delivery_core::recent::{attempt_key, settled_key};

impl Shard {
    /// Starts what may be started now.
    pub(super) fn start_requests(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        while self.queues.any_ready() {
            let permit = match self.spare.take() {
                Some(permit) => permit,
                None => match self.ctx.permits.clone().try_acquire_owned() {
                    Ok(permit) => permit,
                    Err(_) => {
                        self.starved = true;
                        return;
                    }
                },
            };
            let Some((target, waiting)) = self.queues.next() else {
                break;
            };
            let delivery = &waiting.delivery;
            let attempt = attempt_key(&delivery.delivery_id, delivery.generation, delivery.attempts_made + 1);
            let settled = settled_key(&delivery.delivery_id, delivery.generation);
            if self.recent.contains(settled) || !self.recent.insert(attempt) {
                metrics::counter!("hookline_repeats_skipped_total", "by" => "recent set").increment(1);
                self.queues.ended(&target.id, None);
                self.settle(waiting.slot);
                continue;
            }
            self.under_way += 1;
            let job = Job {
                ctx: self.ctx.clone(),
                target,
                waiting,
                permit,
                events: self.events_sender.clone(),
                given_up: self.given_up.clone(),
            };
            tokio::spawn(job.run());
        }
        self.starved = false;
        // Others may be waiting for it.
        self.spare = None;
    }
}
