//! What waits in memory, per endpoint: two queues, a rate, a count of requests under way. Which may start next.

use crate::{
    budget::Share,
    shard::Slot,
    target::{Rate, Target},
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::{InMemoryState, NotKeyed},
};
use schemas::Delivery;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// Slowest rate and largest burst that are told apart: governor counts both together in 64 bits of nanoseconds.
const LONGEST_PERIOD: Duration = Duration::from_secs(86_400);
const LARGEST_BURST: NonZeroU32 = NonZeroU32::new(100_000).expect("it is not 0");

/// A delivery in memory.
pub(crate) struct Waiting {
    pub(crate) delivery: Delivery,
    pub(crate) slot: Slot,
    /// Bytes of the process's budget.
    pub(crate) share: Share,
    /// Bytes of its partition's window; None: the window bounds only what has not come here yet.
    pub(crate) credit: Option<kafka_log::Credit>,
    pub(crate) since: Instant,
    /// Read from its endpoint's dedicated topic: waits here as long as it has to.
    pub(crate) dedicated: bool,
}

/// One endpoint's deliveries in memory.
pub(crate) struct Queue {
    pub(crate) target: Arc<Target>,
    /// Due retries, deferrals, replays: before what is new.
    returned: VecDeque<Waiting>,
    new: VecDeque<Waiting>,
    pub(crate) bytes: usize,
    pub(crate) in_flight: usize,
    /// Mean time of a request, smoothed.
    mean: Duration,
    limiter: Option<Limiter>,
    in_ring: bool,
    in_timers: bool,
}

struct Limiter {
    rate: Rate,
    bucket: RateLimiter<NotKeyed, InMemoryState, DefaultClock>,
    clock: DefaultClock,
}

/// All queues of a shard.
#[derive(Default)]
pub(crate) struct Queues {
    by_endpoint: HashMap<Arc<str>, Queue>,
    /// Endpoints that may be able to start something, each once, in turn.
    ring: VecDeque<Arc<str>>,
    /// Endpoints that wait for their rate.
    timers: BinaryHeap<Reverse<(Instant, Arc<str>)>>,
}

impl Limiter {
    /// Begins with an empty bucket, so that a takeover never adds a burst.
    fn new(rate: Rate) -> Option<Self> {
        let period = Duration::try_from_secs_f64(1.0 / rate.per_second)
            .unwrap_or(LONGEST_PERIOD)
            .min(LONGEST_PERIOD);
        let burst = rate.burst.min(LARGEST_BURST);
        let bucket = RateLimiter::direct(Quota::with_period(period)?.allow_burst(burst));
        // Infallible by construction: the burst is the bucket's own capacity.
        let _ = bucket.check_n(burst);
        Some(Self {
            rate,
            bucket,
            clock: DefaultClock::default(),
        })
    }

    /// Takes a token, or says how long until there is one.
    fn take(&self) -> Result<(), Duration> {
        self.bucket
            .check()
            .map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }
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
            mean: Duration::from_millis(50),
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
            && self.target.can_sign()
            && self.len() > 0
            && self.in_flight < self.target.max_in_flight
    }

    fn push(&mut self, waiting: Waiting, returned: bool) {
        self.bytes += waiting.share.bytes();
        if returned {
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

    /// How long what waits here would take, in milliseconds.
    pub(crate) fn drain_ms(&self) -> f64 {
        let requests = self.len() as f64 + 1.0;
        let by_time = self.mean.as_secs_f64() / self.target.max_in_flight as f64;
        let by_rate = self.limiter.as_ref().map_or(0.0, |l| 1.0 / l.rate.per_second);
        requests * by_time.max(by_rate) * 1000.0
    }

    fn retarget(&mut self, target: Arc<Target>) {
        if target.rate != self.target.rate {
            self.limiter = target.rate.and_then(Limiter::new);
            // Not to wait for the old rate's time.
            self.in_timers = false;
        }
        self.target = target;
    }
}

impl Queues {
    pub(crate) fn get(&self, endpoint: &str) -> Option<&Queue> {
        self.by_endpoint.get(endpoint)
    }

    /// The queue of this target's endpoint, made when there is none, brought up to date when the target is newer.
    pub(crate) fn of(&mut self, target: &Arc<Target>) -> &mut Queue {
        let queue = self
            .by_endpoint
            .entry(target.id.clone())
            .or_insert_with(|| Queue::new(target.clone()));
        if !Arc::ptr_eq(&queue.target, target) {
            queue.retarget(target.clone());
        }
        queue
    }

    pub(crate) fn push(&mut self, target: &Arc<Target>, waiting: Waiting, returned: bool) {
        self.of(target).push(waiting, returned);
        self.ready(&target.id.clone());
    }

    /// Puts the endpoint in the ring when it may be able to start something.
    pub(crate) fn ready(&mut self, endpoint: &Arc<str>) {
        if let Some(queue) = self.by_endpoint.get_mut(endpoint)
            && !queue.in_ring
            && !queue.in_timers
            && queue.can_start()
        {
            queue.in_ring = true;
            self.ring.push_back(endpoint.clone());
        }
    }

    /// Whether some endpoint stands in the ring.
    pub(crate) fn any_ready(&self) -> bool {
        !self.ring.is_empty()
    }

    /// The next delivery to start, fairly among endpoints, and its target. It counts as in flight from now on.
    pub(crate) fn next(&mut self) -> Option<(Arc<Target>, Waiting)> {
        while let Some(endpoint) = self.ring.pop_front() {
            let Some(queue) = self.by_endpoint.get_mut(&endpoint) else {
                continue;
            };
            queue.in_ring = false;
            if !queue.can_start() {
                continue;
            }
            if let Some(Err(wait)) = queue.limiter.as_ref().map(Limiter::take) {
                queue.in_timers = true;
                self.timers.push(Reverse((Instant::now() + wait, endpoint)));
                continue;
            }
            let Some(waiting) = queue.pop() else { continue };
            queue.in_flight += 1;
            let target = queue.target.clone();
            self.ready(&endpoint);
            return Some((target, waiting));
        }
        None
    }

    /// A delivery of this endpoint that was given out by [`Queues::next`] is no longer in flight.
    pub(crate) fn ended(&mut self, endpoint: &Arc<str>, took: Option<Duration>) {
        if let Some(queue) = self.by_endpoint.get_mut(endpoint) {
            queue.in_flight -= 1;
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

    /// Takes out all that waits for an endpoint, in order, with whether it had returned.
    pub(crate) fn take_all(&mut self, endpoint: &str) -> Vec<(Waiting, bool)> {
        let Some(queue) = self.by_endpoint.get_mut(endpoint) else {
            return Vec::new();
        };
        queue.bytes = 0;
        let returned = queue.returned.drain(..).map(|w| (w, true));
        returned.chain(queue.new.drain(..).map(|w| (w, false))).collect()
    }

    /// Takes out the last of what is new and isn't from a dedicated topic.
    pub(crate) fn take_newest(&mut self, endpoint: &str) -> Option<Waiting> {
        let queue = self.by_endpoint.get_mut(endpoint)?;
        let waiting = queue.new.pop_back_if(|waiting| !waiting.dedicated)?;
        queue.bytes -= waiting.share.bytes();
        Some(waiting)
    }

    /// Takes out what has waited in memory since before `limit` and isn't from a dedicated topic.
    pub(crate) fn take_older(&mut self, limit: Instant) -> Vec<(Waiting, f64)> {
        let mut taken = Vec::new();
        for queue in self.by_endpoint.values_mut() {
            let drain_ms = queue.drain_ms();
            let Queue {
                returned, new, bytes, ..
            } = queue;
            for waiting_queue in [returned, new] {
                while waiting_queue.front().is_some_and(|w| w.since < limit && !w.dedicated) {
                    if let Some(waiting) = waiting_queue.pop_front() {
                        *bytes -= waiting.share.bytes();
                        taken.push((waiting, drain_ms));
                    }
                }
            }
        }
        taken
    }

    /// Forgets endpoints with nothing in memory and no rate to remember.
    pub(crate) fn forget_idle(&mut self) {
        self.by_endpoint
            .retain(|_, q| !q.is_idle() || q.limiter.is_some() || q.in_ring || q.in_timers);
    }

    pub(crate) fn endpoints(&self) -> Vec<Arc<str>> {
        self.by_endpoint.keys().cloned().collect()
    }
}
