//! The turns of each case, their table and the last line.

use std::collections::BTreeMap;
use std::fmt;

use crate::receiver::Manner;
use crate::report::median;
use crate::stage::Placement;

use super::observer::Latencies;

/// One turn of a case: near (the bad endpoint's shard) and far, each without and with it.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) without: [Latencies; 2],
    pub(super) with: [Latencies; 2],
    pub(super) bad_published: u64,
    /// Deliveries that fan-out wrote for it.
    pub(super) bad_written: u64,
    /// Attempts at it that ended.
    pub(super) bad_attempts: u64,
    /// What its server saw.
    pub(super) bad_requests: u64,
}

impl Turn {
    /// Of the p99s of one observer.
    fn ratio(&self, observer: usize) -> f64 {
        self.with[observer].p99 / self.without[observer].p99
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "same shard p99 {:.1} -> {:.1} ms ({:.2}), other shard {:.1} -> {:.1} ms ({:.2}); {} attempts at the bad endpoint",
            self.without[0].p99,
            self.with[0].p99,
            self.ratio(0),
            self.without[1].p99,
            self.with[1].p99,
            self.ratio(1),
            self.bad_attempts,
        )
    }
}

/// All cases, in the order in which they were measured.
#[derive(Debug, Default)]
pub(super) struct Figures {
    order: Vec<(Manner, Placement)>,
    turns: BTreeMap<usize, Vec<Turn>>,
}

impl Figures {
    pub(super) fn add(&mut self, case: Manner, placement: Placement, turn: Turn) {
        let known = self.order.iter().position(|known| *known == (case, placement));
        let index = known.unwrap_or_else(|| {
            self.order.push((case, placement));
            self.order.len() - 1
        });
        self.turns.entry(index).or_default().push(turn);
    }

    /// Markdown, two lines a turn.
    pub(super) fn table(&self) -> String {
        let mut table = String::from(
            "| case | placement | observed | p50 without | with | p99 without | with | most without | with | p99 ratio | bad endpoint: published | written | attempts ended | seen by its server |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        );
        for (index, turn) in self
            .turns
            .iter()
            .flat_map(|(index, turns)| turns.iter().map(move |t| (index, t)))
        {
            let (case, placement) = self.order[*index];
            for (observer, shard) in ["same shard", "other shard"].into_iter().enumerate() {
                let (without, with) = (turn.without[observer], turn.with[observer]);
                table += &format!(
                    "| {} | {} | {shard} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | **{:.2}** | {} | {} | {} | {} |\n",
                    case.name(),
                    placement.name(),
                    without.p50,
                    with.p50,
                    without.p99,
                    with.p99,
                    without.most,
                    with.most,
                    turn.ratio(observer),
                    turn.bad_published,
                    turn.bad_written,
                    turn.bad_attempts,
                    turn.bad_requests,
                );
            }
        }
        table
    }

    /// For scripts: `isolation: slow_dedicated=1.02 slow_lanes=1.05 …`, of the endpoint that shares the shard.
    pub(super) fn last_line(&self) -> String {
        let ratios = self
            .ratios()
            .map(|((case, placement), ratio)| format!(" {}_{}={ratio:.2}", case.name(), placement.name()));
        format!("isolation:{}", ratios.collect::<String>())
    }

    /// The highest of the last line.
    pub(super) fn worst(&self) -> f64 {
        self.ratios().map(|(_, ratio)| ratio).fold(0.0, f64::max)
    }

    fn ratios(&self) -> impl Iterator<Item = ((Manner, Placement), f64)> {
        self.turns.iter().map(|(index, turns)| {
            (
                self.order[*index],
                median(turns.iter().map(|turn| turn.ratio(0)).collect()),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    //! The arithmetic.
    use super::*;

    fn turn(p99_with: f64) -> Turn {
        let of = |p99| Latencies {
            count: 1,
            p50: 1.0,
            p99,
            most: 9.0,
        };
        Turn {
            without: [of(2.0), of(2.0)],
            with: [of(p99_with), of(2.0)],
            bad_published: 0,
            bad_written: 0,
            bad_attempts: 0,
            bad_requests: 0,
        }
    }

    #[test]
    fn the_last_line_has_the_median_of_the_same_shard() {
        let mut figures = Figures::default();
        for p99 in [2.0, 10.0, 3.0] {
            figures.add(Manner::Slow, Placement::Lanes, turn(p99));
        }
        figures.add(Manner::Flood, Placement::Dedicated, turn(2.2));
        assert_eq!(figures.last_line(), "isolation: slow_lanes=1.50 flood_dedicated=1.10");
        assert_eq!(figures.worst(), 1.5);
    }
}
