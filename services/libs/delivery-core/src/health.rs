//! How an endpoint is doing: its failures since the last success, its circuit, and whether it must be disabled.
//!
//! A healthy endpoint has no [`Health`] at all. The circuit is about availability: only attempts that another attempt may
//! mend (timeouts, broken connections, 408, 429, 5xx) open it; a receiver that refuses for good answers, and each of its
//! deliveries gets its own verdict. Who makes a probe, and which delivery it carries, is the dispatcher's business.

/// What an attempt says about its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Success,
    /// A final refusal: the receiver is there.
    Refused,
    /// It may be otherwise next time.
    Failed,
}

/// `circuit.*`: when a circuit opens, and its probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CircuitSettings {
    /// Consecutive failed attempts,
    pub failures: i64,
    /// over at least this time, milliseconds.
    pub min_ms: i64,
    /// Waits before the first probe, the second …; the last one repeats. Milliseconds, not empty.
    pub probe_ms: Vec<i64>,
}

impl Default for CircuitSettings {
    fn default() -> Self {
        Self {
            failures: 20,
            min_ms: 10_000,
            probe_ms: [5, 10, 20, 40, 80, 160, 300].map(|sec| sec * 1000).to_vec(),
        }
    }
}

impl CircuitSettings {
    fn probe_after_ms(&self, probes_made: usize) -> i64 {
        let last = self.probe_ms.len().saturating_sub(1);
        self.probe_ms.get(probes_made.min(last)).copied().unwrap_or(60_000)
    }
}

/// `auto_disable.*`: both must be passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoDisable {
    pub failures: i64,
    pub without_success_ms: i64,
}

impl Default for AutoDisable {
    fn default() -> Self {
        Self {
            failures: 100,
            without_success_ms: 432_000_000,
        }
    }
}

/// Whether requests may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    Closed,
    /// None before `probe_at_ms`, then one.
    Open {
        opened_at_ms: i64,
        probe_at_ms: i64,
        probes_made: usize,
    },
    /// A probe is under way.
    HalfOpen {
        opened_at_ms: i64,
        probes_made: usize,
    },
}

/// An endpoint that isn't well. Times are Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Failed attempts since the last success, probes and final refusals included.
    pub consecutive_failures: i64,
    /// When the first of them ended.
    pub failing_since_ms: i64,
    /// When the last of them ended.
    pub last_failure_at_ms: i64,
    pub circuit: Circuit,
}

/// Whether a request may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Free,
    /// One, as a probe.
    Probe,
    /// Not before then, Unix milliseconds.
    Shut {
        until_ms: i64,
    },
    /// Not before the probe that is under way has ended.
    Probing,
}

impl Health {
    /// What an attempt's answer makes of an endpoint's health; None: it is well. `was_probe`: the attempt was made while
    /// the circuit was open.
    #[must_use]
    pub fn after(
        before: Option<Self>,
        answer: Answer,
        was_probe: bool,
        now_ms: i64,
        settings: &CircuitSettings,
    ) -> Option<Self> {
        if answer == Answer::Success {
            return None;
        }
        let mut health = before.unwrap_or(Self {
            consecutive_failures: 0,
            failing_since_ms: now_ms,
            last_failure_at_ms: now_ms,
            circuit: Circuit::Closed,
        });
        health.consecutive_failures += 1;
        health.last_failure_at_ms = now_ms;
        health.circuit = match (answer, health.circuit) {
            (Answer::Refused, _) => Circuit::Closed,
            (_, Circuit::Closed)
                if health.consecutive_failures >= settings.failures
                    && now_ms - health.failing_since_ms >= settings.min_ms =>
            {
                Circuit::Open {
                    opened_at_ms: now_ms,
                    probe_at_ms: now_ms + settings.probe_after_ms(0),
                    probes_made: 0,
                }
            }
            (
                _,
                Circuit::HalfOpen {
                    opened_at_ms,
                    probes_made,
                },
            ) if was_probe => Circuit::Open {
                opened_at_ms,
                probe_at_ms: now_ms + settings.probe_after_ms(probes_made + 1),
                probes_made: probes_made + 1,
            },
            (_, unchanged) => unchanged,
        };
        Some(health)
    }

    /// As it was written down by a former owner, whose probe, if any, nobody waits for any more.
    #[must_use]
    pub fn restored(
        consecutive_failures: i64,
        failing_since_ms: i64,
        last_failure_at_ms: i64,
        opened: Option<(i64, usize)>,
        settings: &CircuitSettings,
    ) -> Self {
        let circuit = opened.map_or(Circuit::Closed, |(opened_at_ms, probes_made)| Circuit::Open {
            opened_at_ms,
            probe_at_ms: last_failure_at_ms.max(opened_at_ms) + settings.probe_after_ms(probes_made),
            probes_made,
        });
        Self {
            consecutive_failures,
            failing_since_ms,
            last_failure_at_ms,
            circuit,
        }
    }

    /// Whether a request may be made now.
    #[must_use]
    pub fn gate(&self, now_ms: i64) -> Gate {
        match self.circuit {
            Circuit::Closed => Gate::Free,
            Circuit::HalfOpen { .. } => Gate::Probing,
            Circuit::Open { probe_at_ms, .. } if now_ms >= probe_at_ms => Gate::Probe,
            Circuit::Open { probe_at_ms, .. } => Gate::Shut { until_ms: probe_at_ms },
        }
    }

    /// A probe begins.
    pub fn begin_probe(&mut self) {
        if let Circuit::Open {
            opened_at_ms,
            probes_made,
            ..
        } = self.circuit
        {
            self.circuit = Circuit::HalfOpen {
                opened_at_ms,
                probes_made,
            };
        }
    }

    /// The probe that had begun was not made after all: the next may be at once.
    pub fn take_back_probe(&mut self, now_ms: i64) {
        if let Circuit::HalfOpen {
            opened_at_ms,
            probes_made,
        } = self.circuit
        {
            self.circuit = Circuit::Open {
                opened_at_ms,
                probe_at_ms: now_ms,
                probes_made,
            };
        }
    }

    /// Open or half open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.circuit != Circuit::Closed
    }

    /// When the circuit opened.
    #[must_use]
    pub fn opened_at_ms(&self) -> Option<i64> {
        match self.circuit {
            Circuit::Closed => None,
            Circuit::Open { opened_at_ms, .. } | Circuit::HalfOpen { opened_at_ms, .. } => Some(opened_at_ms),
        }
    }

    /// Whether it has failed for so long that it must be disabled.
    #[must_use]
    pub fn must_be_disabled(&self, limits: AutoDisable) -> bool {
        self.consecutive_failures >= limits.failures
            && self.last_failure_at_ms - self.failing_since_ms >= limits.without_success_ms
    }
}

/// How long a delivery that meets an open circuit is put off, milliseconds: until the probe at least, and longer the
/// longer the circuit has been open, so that many waiting deliveries don't all come back for every probe.
#[must_use]
pub fn put_off_ms(health: &Health, now_ms: i64) -> i64 {
    let until_probe = match health.circuit {
        Circuit::Open { probe_at_ms, .. } => probe_at_ms - now_ms,
        Circuit::Closed | Circuit::HalfOpen { .. } => 0,
    };
    let open_for = health.opened_at_ms().map_or(0, |at| now_ms - at);
    until_probe.max(open_for / 2).max(1_000)
}

/// When the last scheduled attempt of a delivery falls due that has made `schedule_index` attempts and is due now: an open
/// circuit never lengthens a life beyond that.
#[must_use]
pub fn last_due_ms(now_ms: i64, schedule_sec: &[i64], schedule_index: usize) -> i64 {
    let left = schedule_sec.get(schedule_index..).unwrap_or_default();
    now_ms.saturating_add(left.iter().sum::<i64>().saturating_mul(1000))
}

#[cfg(test)]
mod tests;
