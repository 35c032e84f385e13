//! What endpoints may get at most while their dispatchers come and go, measured where it arrives: rates, concurrency, and
//! repeats of requests that last longer than a revoke waits.

use std::time::Duration;

use crate::broker_faults::Outages;
use crate::cast::Cast;
use crate::fleet::{self, Role, Toll};
use crate::manner::{Manner, SLOW_AT_ONCE, SLOW_BURST, SLOW_PER_SEC};

const SPANS_SEC: [u64; 3] = [1, 5, 20];

/// How often dispatchers came and went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changes {
    /// Each may take shards from the others.
    joins: usize,
    /// Dispatchers that may have lost their shards without knowing it, at the same time.
    zombies: usize,
}

impl Changes {
    pub(crate) fn of(toll: &Toll, outages: Outages) -> Self {
        let outlived = (outages.one + outages.all) * fleet::DISPATCHERS;
        let halted = toll.halted.iter().filter(|role| **role == Role::Dispatcher).count();
        let ended = toll.ended.iter().filter(|role| **role == Role::Dispatcher).count();
        Self {
            joins: toll.of(Role::Dispatcher) + ended + outlived,
            zombies: (halted + outlived).min(fleet::DISPATCHERS),
        }
    }
}

/// Repeats of endpoints whose requests last, and how many joiners allow: for each endpoint what was under way.
pub(crate) fn lasting(cast: &Cast, changes: Changes) -> (usize, usize) {
    let (mut repeats, mut bound) = (0, 0);
    for member in &cast.members {
        if let Some(at_once) = member.part.manner.lasting_at_once() {
            repeats += member.hook.tally().duplicates;
            bound += changes.joins * at_once;
        }
    }
    (repeats, bound)
}

/// What slow endpoints got beyond their limits, in words. Owners together start no more than one would, because each
/// begins with an empty bucket; what was under way when a span began comes on top, and as much again from each zombie.
pub(crate) fn exceeded(cast: &Cast, changes: Changes) -> Vec<String> {
    let at_once = SLOW_AT_ONCE * (1 + changes.zombies);
    let most_at_once = cast
        .of_manner(Manner::Slow)
        .map(|member| member.hook.tally().most_at_once);
    let mut measured = vec![("at once".to_owned(), most_at_once.max(), at_once)];
    for span in SPANS_SEC.map(Duration::from_secs) {
        let most = cast.of_manner(Manner::Slow).map(|member| member.hook.most_within(span));
        let bound = (SLOW_PER_SEC * span.as_secs_f64()) as usize + SLOW_BURST + at_once;
        measured.push((format!("within {} s", span.as_secs()), most.max(), bound));
    }
    let mut exceeded = Vec::new();
    for (when, most, bound) in measured {
        let most = most.unwrap_or(0);
        println!("chaos: a limited endpoint got at most {most} requests {when}, of at most {bound}");
        if most > bound {
            exceeded.push(format!(
                "{most} requests {when} to a limited endpoint; at most {bound} may (invariant 3)"
            ));
        }
    }
    exceeded
}
