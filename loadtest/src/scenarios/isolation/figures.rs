//! The windows of each case and of nothing at all, their table and the last line. What counts is pooled over all turns of a
//! placement: a p99 of one window is mostly the machine's noise, as the case `absent` shows.

use std::fmt;

use crate::receiver::Manner;
use crate::stage::Placement;

use super::observer::Latencies;

/// The observer in the bad endpoint's shard, and the one in another.
pub(super) type Window = [Latencies; 2];

const OBSERVED: [&str; 2] = ["same shard", "other shard"];

/// One window of a case.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) with: Window,
    pub(super) bad_published: u64,
    /// Deliveries that fan-out wrote for it.
    pub(super) bad_written: u64,
    /// Attempts at it that ended.
    pub(super) bad_attempts: u64,
    /// What its server saw.
    pub(super) bad_requests: u64,
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "p99 same shard {:.1} ms, other shard {:.1} ms; {} attempts at the bad endpoint",
            self.with[0].p99(),
            self.with[1].p99(),
            self.bad_attempts,
        )
    }
}

/// All windows of one placement.
#[derive(Debug)]
pub(super) struct Figures {
    placement: Placement,
    without: Vec<Window>,
    cases: Vec<(Manner, Vec<Turn>)>,
}

impl Figures {
    pub(super) fn new(placement: Placement) -> Self {
        Self {
            placement,
            without: Vec::new(),
            cases: Vec::new(),
        }
    }

    pub(super) fn add_without(&mut self, window: Window) {
        self.without.push(window);
    }

    pub(super) fn add(&mut self, case: Manner, turn: Turn) {
        match self.cases.iter_mut().find(|(known, _)| *known == case) {
            Some((_, turns)) => turns.push(turn),
            None => self.cases.push((case, vec![turn])),
        }
    }

    /// Markdown lines: without anybody, then each case, for both observers.
    pub(super) fn rows(&self) -> String {
        let mut rows = String::new();
        for (observer, shard) in OBSERVED.into_iter().enumerate() {
            let without = self.pooled_without(observer);
            let lowest = quietest(self.without.iter().map(|window| &window[observer]));
            rows += &self.row("nobody", shard, &without, lowest, "", "");
            for (case, turns) in &self.cases {
                let sum = |of: fn(&Turn) -> u64| turns.iter().map(of).sum::<u64>();
                let bad = format!(
                    "{} | {} | {} | {}",
                    sum(|turn| turn.bad_published),
                    sum(|turn| turn.bad_written),
                    sum(|turn| turn.bad_attempts),
                    sum(|turn| turn.bad_requests),
                );
                let ratio = format!("**{:.2}**", self.ratio(turns, observer));
                let lowest = quietest(turns.iter().map(|turn| &turn.with[observer]));
                rows += &self.row(case.name(), shard, &pooled(turns, observer), lowest, &ratio, &bad);
            }
        }
        rows
    }

    fn row(&self, case: &str, shard: &str, latencies: &Latencies, quietest: f64, ratio: &str, bad: &str) -> String {
        format!(
            "| {} | {shard} | {case} | {} | {:.1} | {:.1} | {:.1} | {quietest:.1} | {:.1} | {ratio} | {} |\n",
            self.placement.name(),
            latencies.count(),
            latencies.at(0.5),
            latencies.at(0.9),
            latencies.p99(),
            latencies.at(1.0),
            if bad.is_empty() { " |  |  | " } else { bad },
        )
    }

    /// Of the p99 with the case by the p99 without anybody, in the bad endpoint's shard.
    pub(super) fn ratios(&self) -> impl Iterator<Item = (String, f64)> {
        self.cases.iter().map(|(case, turns)| {
            (
                format!("{}_{}", case.name(), self.placement.name()),
                self.ratio(turns, 0),
            )
        })
    }

    fn ratio(&self, turns: &[Turn], observer: usize) -> f64 {
        pooled(turns, observer).p99() / self.pooled_without(observer).p99()
    }

    fn pooled_without(&self, observer: usize) -> Latencies {
        Latencies::pooled(self.without.iter().map(|window| &window[observer]))
    }
}

fn pooled(turns: &[Turn], observer: usize) -> Latencies {
    Latencies::pooled(turns.iter().map(|turn| &turn.with[observer]))
}

/// The p99 of the window in which the machine disturbed least.
fn quietest<'a>(windows: impl Iterator<Item = &'a Latencies>) -> f64 {
    windows.map(Latencies::p99).fold(f64::INFINITY, f64::min)
}

/// The table's head.
pub(super) const HEAD: &str = "| placement | observed | beside it | events | p50 | p90 | p99 | of the quietest window | most | p99 ratio | its events | written | attempts ended | seen by its server |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";

/// For scripts: `isolation: slow_dedicated=1.02 slow_lanes=1.05 …`, of the observer that shares the shard.
pub(super) fn last_line(all: &[Figures]) -> String {
    let ratios = all.iter().flat_map(Figures::ratios);
    let ratios = ratios.map(|(name, ratio)| format!(" {name}={ratio:.2}"));
    format!("isolation:{}", ratios.collect::<String>())
}

#[cfg(test)]
mod tests {
    //! The arithmetic.
    use super::*;

    fn turn(ms: f64) -> Turn {
        Turn {
            with: [Latencies::new(vec![ms]), Latencies::new(vec![2.0])],
            bad_published: 1,
            bad_written: 0,
            bad_attempts: 0,
            bad_requests: 0,
        }
    }

    #[test]
    fn the_last_line_has_pooled_ratios_of_the_same_shard() {
        let mut lanes = Figures::new(Placement::Lanes);
        lanes.add_without([Latencies::new(vec![1.0, 2.0]), Latencies::new(vec![1.0])]);
        for ms in [2.0, 3.0, 1.0] {
            lanes.add(Manner::Slow, turn(ms));
        }
        let mut dedicated = Figures::new(Placement::Dedicated);
        dedicated.add_without([Latencies::new(vec![2.0]), Latencies::new(vec![1.0])]);
        dedicated.add(Manner::Flood, turn(2.2));
        assert_eq!(
            last_line(&[lanes, dedicated]),
            "isolation: slow_lanes=1.50 flood_dedicated=1.10"
        );
    }
}
