//! Medians, the table, the file and the last line. Ratios are taken within a turn, then their median: what else the
//! machine did weighs on both sides of a turn alike.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::baseline::Measured;
use crate::product::Delivered;
use crate::{body, machine};

/// One turn of a case.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    /// Reqwest alone, by concurrency.
    pub(crate) alone: Vec<(usize, Measured)>,
    pub(crate) delivered: Delivered,
    /// A second.
    pub(crate) fanned_out_events: f64,
    pub(crate) fanned_out_deliveries: f64,
}

impl Pair {
    /// The best that reqwest made of it.
    fn best(&self) -> f64 {
        self.alone
            .iter()
            .map(|(_, measured)| measured.tally.per_second())
            .fold(0.0, f64::max)
    }

    fn ratio(&self) -> f64 {
        self.delivered.tally.per_second() / self.best()
    }

    /// Microseconds of processor time for each request of the better baseline.
    fn cpu_alone_us(&self) -> f64 {
        let each = self
            .alone
            .iter()
            .map(|(_, measured)| measured.cpu_us as f64 / measured.tally.requests as f64);
        each.fold(f64::INFINITY, f64::min)
    }

    /// Microseconds of the dispatcher's processor time for each delivery.
    fn cpu_us(&self) -> f64 {
        self.delivered.cpu_us as f64 / self.delivered.tally.requests as f64
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (concurrency, measured) in &self.alone {
            write!(f, "reqwest x{concurrency} {:.0}/s, ", measured.tally.per_second())?;
        }
        write!(
            f,
            "hookline {:.0}/s = {:.2}, {} gaps of {} ms in {} ms; {:.0} us of processor time each beside {:.0} us; {} deferrals; fan-out {:.0} events/s, {:.0} deliveries/s",
            self.delivered.tally.per_second(),
            self.ratio(),
            self.delivered.tally.gaps,
            self.delivered.tally.gaps_us / 1000,
            self.delivered.tally.span_us / 1000,
            self.cpu_us(),
            self.cpu_alone_us(),
            self.delivered.deferrals,
            self.fanned_out_events,
            self.fanned_out_deliveries,
        )
    }
}

/// All turns of a run.
#[derive(Debug)]
pub(crate) struct Report {
    began: OffsetDateTime,
    load: String,
    cases: BTreeMap<&'static str, Vec<Pair>>,
}

impl Report {
    pub(crate) fn begin() -> Self {
        Self {
            began: OffsetDateTime::now_utc(),
            load: machine::load(),
            cases: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, case: &'static str, pair: Pair) {
        self.cases.entry(case).or_default().push(pair);
    }

    /// Markdown: a line a case.
    pub(crate) fn table(&self) -> String {
        let mut table = String::from(
            "| case | turns | deliveries each | reqwest alone x32/s | x256/s | hookline/s | ratio | CPU us a request: reqwest | dispatcher | deferrals | fan-out events/s | deliveries/s |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        );
        for (case, pairs) in &self.cases {
            let of = |value: &dyn Fn(&Pair) -> f64| spread(pairs.iter().map(value).collect());
            let alone = |index: usize| of(&|pair| pair.alone[index].1.tally.per_second());
            let ratios: Vec<String> = pairs.iter().map(|pair| format!("{:.2}", pair.ratio())).collect();
            table += &format!(
                "| {case} | {} | {} | {} | {} | {} | **{:.2}** ({}) | {} | {} | {} | {} | {} |\n",
                pairs.len(),
                pairs[0].delivered.tally.requests,
                alone(0),
                alone(1),
                of(&|pair| pair.delivered.tally.per_second()),
                self.ratio(case),
                ratios.join(", "),
                of(&Pair::cpu_alone_us),
                of(&Pair::cpu_us),
                of(&|pair| pair.delivered.deferrals as f64),
                of(&|pair| pair.fanned_out_events),
                of(&|pair| pair.fanned_out_deliveries),
            );
        }
        table
    }

    /// For scripts: `smoke: one_endpoint=… ten_endpoints=… lanes=… fanout_events_per_s=…`; `-` for what wasn't measured.
    pub(crate) fn last_line(&self) -> String {
        let ratio = |case| match self.cases.contains_key(case) {
            true => format!("{:.2}", self.ratio(case)),
            false => "-".to_owned(),
        };
        format!(
            "smoke: one_endpoint={} ten_endpoints={} lanes={} fanout_events_per_s={:.0}",
            ratio("one_endpoint"),
            ratio("ten_endpoints"),
            ratio("lanes"),
            self.events_per_s(),
        )
    }

    /// The lowest median ratio of any case.
    pub(crate) fn least_ratio(&self) -> f64 {
        self.cases
            .keys()
            .map(|case| self.ratio(case))
            .fold(f64::INFINITY, f64::min)
    }

    /// Writes `<date>-smoke.md`, over that of the same day.
    pub(crate) fn write(&self, dir: &Path) -> anyhow::Result<PathBuf> {
        let date = self.began.format(format_description!("[year]-[month]-[day]"))?;
        let time = self.began.format(format_description!("[hour]:[minute]"))?;
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let path = dir.join(format!("{date}-smoke.md"));
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let samples: u64 = self.pairs().map(|pair| pair.delivered.tally.sampled).sum();
        let text = format!(
            "# {date} {time} UTC: smoke\n\n`cargo xtask loadtest {}`, release build {}, on {}.\nLoad averages at the beginning {}, at the end {}.\n\n{}\n`{}`\n\nMedians, with least and most of the turns. Bodies of {} bytes, signed; {samples} signatures of Hookline's were verified,\nnone was bad. A ratio is Hookline's rate by the better of reqwest's two in the same turn; both are timed by the receiver\nfrom its first request to its last. Sender, receiver and Kafka share the cores.\n",
            arguments.join(" "),
            env!("CARGO_PKG_VERSION"),
            machine::describe(),
            self.load,
            machine::load(),
            self.table(),
            self.last_line(),
            body::BYTES,
        );
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.cases.values().flatten()
    }

    fn ratio(&self, case: &str) -> f64 {
        let pairs = self.cases.get(case).into_iter().flatten();
        median(pairs.map(Pair::ratio).collect())
    }

    /// Of the case in which an event is one delivery.
    fn events_per_s(&self) -> f64 {
        let case = self.cases.get("one_endpoint").or_else(|| self.cases.values().next());
        median(case.into_iter().flatten().map(|pair| pair.fanned_out_events).collect())
    }
}

/// The middle, or the mean of the two in the middle; 0 of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

/// Median, least and most, without fractions.
fn spread(values: Vec<f64>) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{:.0} ({least:.0}–{most:.0})", median(values))
}

#[cfg(test)]
mod tests {
    //! The arithmetic.
    use super::*;

    #[test]
    fn medians_of_odd_and_even_numbers_of_turns() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(Vec::new()), 0.0);
        assert_eq!(spread(vec![10.0, 30.0, 20.0]), "20 (10–30)");
    }
}
