//! Starting requests: as many as permits, endpoints' limits and rates allow.

use super::Shard;
use crate::attempt::Job;
use delivery_core::recent::{attempt_key, settled_key};

impl Shard {
    /// Starts what may be started now.
    pub(super) fn start_requests(&mut self) {
        if self.stopping.is_some() || !self.is_sure() {
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
            let Some((target, waiting, is_probe)) = self.queues.next() else {
                break;
            };
            let delivery = &waiting.delivery;
            let attempt = attempt_key(&delivery.delivery_id, delivery.generation, delivery.attempts_made + 1);
            let settled = settled_key(&delivery.delivery_id, delivery.generation);
            if self.recent.contains(settled) || !self.recent.insert(attempt) {
                metrics::counter!("hookline_repeats_skipped_total", "by" => "recent_set").increment(1);
                self.queues.take_back_probe(&target.id);
                self.queues.ended(&target.id, None);
                self.settle(waiting.slot);
                continue;
            }
            self.under_way += 1;
            let job = Job {
                ctx: self.ctx.clone(),
                target,
                waiting,
                is_probe,
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

    /// Whether the shard is ours beyond doubt: false from when the process has stood still until a commit that was asked
    /// for after that has been taken (invariant 3).
    fn is_sure(&mut self) -> bool {
        let stops = self.ctx.pulse.stops();
        if stops == self.doubt.settled_stops {
            return true;
        }
        if self.doubt.asked_stops != stops {
            self.doubt.asked_stops = stops;
            self.doubt.skip_answer = self.committing.is_some();
            self.commit_all_at_next();
        }
        false
    }

    /// A commit was answered: taken, it says whose the shard is.
    pub(super) fn settle_doubt(&mut self, made: bool) {
        if std::mem::take(&mut self.doubt.skip_answer) {
            // It was asked for before the process stood still, and says nothing.
            self.commit_all_at_next();
        } else if made {
            self.doubt.settled_stops = self.doubt.asked_stops;
        }
    }
}

/// What is known of the ownership after the process has stood still.
#[derive(Debug, Default)]
pub(crate) struct Doubt {
    /// Stops after which a commit has shown that the shard is ours.
    settled_stops: u64,
    /// Stops up to which that was asked.
    asked_stops: u64,
    /// The answer that is awaited is to an older question.
    skip_answer: bool,
}

impl Doubt {
    /// A shard that begins now was given to us after these stops.
    pub(super) fn none_after(stops: u64) -> Self {
        Self {
            settled_stops: stops,
            asked_stops: stops,
            skip_answer: false,
        }
    }
}
