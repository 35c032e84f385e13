//! What waits in memory, per endpoint: two queues, a rate, a count of requests under way. Which may start next.

mod outlived;
mod waiting;

use super::limiter::Limiter;
use crate::{readers::Class, target::Target};
use delivery_core::health::{Gate, Health};
use runtime::clock::now_ms;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

pub(crate) use waiting::Waiting;

/// An endpoint of which no request has ended for so long stands still.
const STANDING: Duration = Duration::from_secs(1);

/// One endpoint's deliveries in memory.
pub(crate) struct Queue {
    pub(crate) target: Arc<Target>,
    /// Due retries, deferrals, replays: before what is new.
    returned: VecDeque<Waiting>,
    new: VecDeque<Waiting>,
    pub(crate) bytes: usize,
    pub(crate) in_flight: usize,
    /// None: it is well.
    pub(crate) health: Option<Health>,
    /// Mean time of a request, smoothed.
    mean: Duration,
    /// When a request last ended, or the first of those under way began.
    moved_at: Instant,
    /// Deliveries deferred and not back yet, as far as this owner knows.
    deferred: usize,
    limiter: Option<Limiter>,
    in_ring: bool,
    in_timers: bool,
}

/// All queues of a shard.
#[derive(Default)]
pub(crate) struct Queues {
    by_endpoint: HashMap<Arc<str>, Queue>,
    /// Endpoints that may be able to start something, each once, in turn.
    ring: VecDeque<Arc<str>>,
    /// Endpoints that wait for their rate, for a probe's time, or until they can be signed for.
    timers: BinaryHeap<Reverse<(Instant, Arc<str>)>>,
    /// Endpoints whose health was forgotten because they were changed.
    reset: Vec<Arc<str>>,
}

impl Queue {
    fn new(target: Arc<Target>) -> Self {
        let limiter = target.rate.and_then(Limiter::new);
        Self {
            target,
            returned: VecDeque::new(),
            new: VecDeque::new(),
            bytes: 0,
            in_flight: 0,
            health: None,
            mean: Duration::from_millis(50),
            moved_at: Instant::now(),
            deferred: 0,
            limiter,
            in_ring: false,
            in_timers: false,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.returned.len() + self.new.len()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.len() == 0 && self.in_flight == 0
    }

    fn can_start(&self) -> bool {
        self.target.status == crate::target::Status::Active
            && self.target.signs_from_ms().is_some()
            && self.len() > 0
            && self.in_flight < self.target.max_in_flight
    }

    /// Whether the circuit lets a request through, and it can be signed.
    fn gate(&self) -> Gate {
        let now_ms = now_ms();
        match self.target.signs_from_ms() {
            Some(until_ms) if until_ms > now_ms => Gate::Shut { until_ms },
            _ => self.health.map_or(Gate::Free, |health| health.gate(now_ms)),
        }
    }

    fn push(&mut self, waiting: Waiting) {
        self.bytes += waiting.share.bytes();
        if waiting.class == Class::Returns {
            self.returned.push_back(waiting)
        } else {
            self.new.push_back(waiting)
        }
    }

    fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.returned.pop_front().or_else(|| self.new.pop_front())?;
        self.bytes -= waiting.share.bytes();
        Some(waiting)
    }

    /// How long what waits here, and what was deferred before, would take, in milliseconds: so that not all of it comes
    /// back at once. A request that doesn't end counts with the time it has taken so far.
    pub(crate) fn drain_ms(&self) -> f64 {
        ((self.len() + self.deferred) as f64 + 1.0) * self.one_ms()
    }

    /// How many requests end within this time.
    fn within(&self, time: Duration) -> usize {
        (time.as_secs_f64() * 1000.0 / self.one_ms()) as usize
    }

    /// From one request's end to the next, in milliseconds.
    fn one_ms(&self) -> f64 {
        let standing = match self.moved_at.elapsed() {
            // The shard may have been busy with something else meanwhile.
            elapsed if self.in_flight == 0 || elapsed < STANDING => Duration::ZERO,
            elapsed => elapsed,
        };
        let by_time = self.mean.max(standing).as_secs_f64() / self.target.max_in_flight as f64;
        let by_rate = self.limiter.as_ref().map_or(0.0, |l| 1.0 / l.rate().per_second);
        by_time.max(by_rate) * 1000.0
    }

    /// True when its health is forgotten: it was changed, so whoever changed it may have mended it.
    fn retarget(&mut self, target: Arc<Target>) -> bool {
        if target.rate != self.target.rate {
            self.limiter = target.rate.and_then(Limiter::new);
            // Not to wait for the old rate's time.
            self.in_timers = false;
        }
        if target.signs_from_ms() != self.target.signs_from_ms() {
            // Nor for the expiry of a secret that can be read now.
            self.in_timers = false;
        }
        let is_reset = target.version != self.target.version && self.health.take().is_some();
        if is_reset {
            // Nor for the probe's.
            self.in_timers = false;
        }
        self.target = target;
        is_reset
    }
}

impl Queues {
    pub(crate) fn get(&self, endpoint: &str) -> Option<&Queue> {
        self.by_endpoint.get(endpoint)
    }

    pub(crate) fn get_mut(&mut self, endpoint: &str) -> Option<&mut Queue> {
        self.by_endpoint.get_mut(endpoint)
    }

    /// The queue of this target's endpoint, made when there is none, brought up to date when the target is newer.
    pub(crate) fn of(&mut self, target: &Arc<Target>) -> &mut Queue {
        let queue = self
            .by_endpoint
            .entry(target.id.clone())
            .or_insert_with(|| Queue::new(target.clone()));
        if !Arc::ptr_eq(&queue.target, target) && queue.retarget(target.clone()) {
            self.reset.push(target.id.clone());
        }
        queue
    }

    pub(crate) fn push(&mut self, target: &Arc<Target>, waiting: Waiting) {
        self.of(target).push(waiting);
        self.ready(&target.id.clone());
    }

    /// Puts the endpoint in the ring when it may be able to start something.
    pub(crate) fn ready(&mut self, endpoint: &Arc<str>) {
        if let Some(queue) = self.by_endpoint.get_mut(endpoint)
            && !queue.in_ring
            && !queue.in_timers
            && queue.can_start()
        {
            match queue.gate() {
                Gate::Free | Gate::Probe => {
                    queue.in_ring = true;
                    self.ring.push_back(endpoint.clone());
                }
                Gate::Shut { until_ms } => {
                    let wait_ms = u64::try_from(until_ms - now_ms()).unwrap_or(0);
                    queue.in_timers = true;
                    let at = Instant::now() + Duration::from_millis(wait_ms + 1);
                    self.timers.push(Reverse((at, endpoint.clone())));
                }
                // Its end brings the endpoint back.
                Gate::Probing => {}
            }
        }
    }

    /// The circuit has closed: nothing waits for a probe any more.
    pub(crate) fn reopen(&mut self, endpoint: &Arc<str>) {
        if let Some(queue) = self.by_endpoint.get_mut(endpoint) {
            queue.in_timers = false;
        }
        self.ready(endpoint);
    }

    /// The request that was given out as a probe is not made.
    pub(crate) fn take_back_probe(&mut self, endpoint: &Arc<str>) {
        if let Some(health) = self.by_endpoint.get_mut(endpoint).and_then(|q| q.health.as_mut()) {
            health.take_back_probe(now_ms());
        }
    }

    /// Endpoints whose health was forgotten because they were changed, each told once.
    pub(crate) fn take_reset(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.reset)
    }

    pub(crate) fn open_circuits(&self) -> usize {
        let open = |queue: &&Queue| queue.health.is_some_and(|health| health.is_open());
        self.by_endpoint.values().filter(open).count()
    }

    /// Whether some endpoint stands in the ring.
    pub(crate) fn any_ready(&self) -> bool {
        !self.ring.is_empty()
    }

    /// The next delivery to start, fairly among endpoints, its target, and whether it is a probe. It counts as in flight
    /// from now on.
    pub(crate) fn next(&mut self) -> Option<(Arc<Target>, Waiting, bool)> {
        while let Some(endpoint) = self.ring.pop_front() {
            let Some(queue) = self.by_endpoint.get_mut(&endpoint) else {
                continue;
            };
            queue.in_ring = false;
            let gate = queue.gate();
            if !queue.can_start() || matches!(gate, Gate::Probing | Gate::Shut { .. }) {
                // A shut one waits for its probe's time.
                self.ready(&endpoint);
                continue;
            }
            if let Some(Err(wait)) = queue.limiter.as_ref().map(Limiter::take) {
                queue.in_timers = true;
                self.timers.push(Reverse((Instant::now() + wait, endpoint)));
                continue;
            }
            let Some(waiting) = queue.pop() else { continue };
            if queue.in_flight == 0 {
                queue.moved_at = Instant::now();
            }
            queue.in_flight += 1;
            let is_probe = gate == Gate::Probe;
            if is_probe && let Some(health) = &mut queue.health {
                health.begin_probe();
            }
            let target = queue.target.clone();
            self.ready(&endpoint);
            return Some((target, waiting, is_probe));
        }
        None
    }

    /// A delivery of this endpoint that was given out by [`Queues::next`] is no longer in flight.
    pub(crate) fn ended(&mut self, endpoint: &Arc<str>, took: Option<Duration>) {
        if let Some(queue) = self.by_endpoint.get_mut(endpoint) {
            queue.in_flight -= 1;
            queue.moved_at = Instant::now();
            if let Some(took) = took {
                queue.mean = (queue.mean * 7 + took) / 8;
            }
        }
        self.ready(endpoint);
    }

    /// When the next endpoint's rate lets it go on.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// Puts back into the ring whose time has come.
    pub(crate) fn timers_due(&mut self, now: Instant) {
        while let Some(Reverse((at, _))) = self.timers.peek()
            && *at <= now
        {
            if let Some(Reverse((_, endpoint))) = self.timers.pop() {
                if let Some(queue) = self.by_endpoint.get_mut(&endpoint) {
                    queue.in_timers = false;
                }
                self.ready(&endpoint);
            }
        }
    }

    /// One more of this endpoint's deliveries is put into a retry topic for want of room or time.
    pub(crate) fn deferred(&mut self, endpoint: &str) {
        if let Some(queue) = self.by_endpoint.get_mut(endpoint) {
            queue.deferred += 1;
        }
    }

    /// One of them is back.
    pub(crate) fn is_back(&mut self, endpoint: &str) {
        if let Some(queue) = self.by_endpoint.get_mut(endpoint) {
            queue.deferred = queue.deferred.saturating_sub(1);
        }
    }

    /// Takes out all that waits for an endpoint, in order.
    pub(crate) fn take_all(&mut self, endpoint: &str) -> Vec<Waiting> {
        let Some(queue) = self.by_endpoint.get_mut(endpoint) else {
            return Vec::new();
        };
        queue.bytes = 0;
        queue.returned.drain(..).chain(queue.new.drain(..)).collect()
    }

    /// Takes out the last of what is new and isn't from a dedicated topic.
    pub(crate) fn take_newest(&mut self, endpoint: &str) -> Option<Waiting> {
        let queue = self.by_endpoint.get_mut(endpoint)?;
        let waiting = queue.new.pop_back_if(|waiting| !waiting.is_dedicated())?;
        queue.bytes -= waiting.share.bytes();
        Some(waiting)
    }

    /// Takes out what has waited in memory since before `limit` and isn't from a dedicated topic, the oldest first. As many
    /// of each endpoint stay as it gets done within `spared`: it isn't left with nothing to do. At most `portion`.
    pub(crate) fn take_older(&mut self, limit: Instant, spared: Duration, portion: usize) -> Vec<(Waiting, f64)> {
        let mut taken = Vec::new();
        for queue in self.by_endpoint.values_mut() {
            let drain_ms = queue.drain_ms();
            let surplus = queue.len().saturating_sub(queue.within(spared));
            let mut most = surplus.min(portion - taken.len());
            let Queue {
                returned, new, bytes, ..
            } = queue;
            for waiting_queue in [returned, new] {
                let is_older = |w: &mut Waiting| w.since < limit && !w.is_dedicated();
                while most > 0
                    && let Some(waiting) = waiting_queue.pop_front_if(is_older)
                {
                    most -= 1;
                    *bytes -= waiting.share.bytes();
                    taken.push((waiting, drain_ms));
                }
            }
        }
        taken
    }

    /// Forgets endpoints with nothing in memory and no rate to remember.
    pub(crate) fn forget_idle(&mut self) {
        self.by_endpoint
            .retain(|_, q| !q.is_idle() || q.limiter.is_some() || q.health.is_some() || q.in_ring || q.in_timers);
    }

    pub(crate) fn endpoints(&self) -> Vec<Arc<str>> {
        self.by_endpoint.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests;
