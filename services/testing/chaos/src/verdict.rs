//! The account at a run's end: what was lost, what came twice, and whether that is allowed.

use std::collections::{HashMap, HashSet};
use std::fmt;

use harness::logbook::Outcome;
use harness::{Hook, Installation, Logbook, read_to_end};
use schemas::{DeadLetter, OwnSchemas, codec};

use crate::broker_faults::Outages;
use crate::cast::Cast;
use crate::fleet::{self, Role, Toll};
use crate::manner::Fate;
use crate::specials;
use crate::traffic::Expected;

/// A run in figures.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    pub seed: u64,
    /// Asked for.
    pub deliveries: usize,
    /// Pairs of event and endpoint.
    pub expected: usize,
    /// Of those, with a verified 2xx.
    pub delivered: usize,
    /// Of those, in the dead letters as they must be.
    pub dead_lettered: usize,
    /// Further verified 2xx of a pair.
    pub duplicates: usize,
    /// Most duplicates that the kills allow, and the joins.
    pub bound: usize,
    /// Of the duplicates, those at endpoints whose requests last longer than a revoke waits.
    pub lasting_duplicates: usize,
    /// Of the bound, what the joins allow there.
    pub lasting_bound: usize,
    pub lost: usize,
    pub bad_signatures: usize,
    pub kills: usize,
    pub halts: usize,
    /// Processes that ended in order when they were asked to.
    pub terminations: usize,
    pub broker_outages: usize,
    /// Pairs whose fate was open, because their endpoint was disabled or deleted some time.
    pub open: usize,
    /// Everything that isn't as it must be, in words.
    pub violations: Vec<String>,
}

impl Summary {
    /// Shows it.
    ///
    /// # Panics
    /// When something isn't as it must be.
    pub fn assert_no_violation(&self) {
        println!("{self}");
        assert!(self.violations.is_empty(), "{self}\n{}", self.violations.join("\n"));
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "chaos: seed={} deliveries={} expected={} delivered={} dead_lettered={} duplicates={} bound={} \
             lasting_duplicates={} lasting_bound={} lost={} \
             bad_signatures={} kills={} halts={} terminations={} broker_outages={} open={}",
            self.seed,
            self.deliveries,
            self.expected,
            self.delivered,
            self.dead_lettered,
            self.duplicates,
            self.bound,
            self.lasting_duplicates,
            self.lasting_bound,
            self.lost,
            self.bad_signatures,
            self.kills,
            self.halts,
            self.terminations,
            self.broker_outages,
            self.open
        )
    }
}

/// (event, endpoint) of all dead letters that are there.
pub(crate) async fn dead_letters(installation: &Installation) -> anyhow::Result<HashSet<(String, String)>> {
    let mut latest = HashMap::new();
    for record in read_to_end(&installation.connection(), &installation.names().dlq()).await? {
        latest.insert(record.key.clone(), record.value.clone());
    }
    let mut pairs = HashSet::new();
    for value in latest.into_values().flatten().filter(|value| !value.is_empty()) {
        let letter: DeadLetter = codec::decode(&value, &OwnSchemas)?;
        pairs.insert((letter.delivery.event_id, letter.delivery.endpoint_id));
    }
    Ok(pairs)
}

/// Fills the summary's figures from the receivers, the dead letters, the log, and the toll; its bound stands already.
pub(crate) async fn judge(
    summary: &mut Summary,
    installation: &Installation,
    cast: &Cast,
    expected: &Expected,
    toll: &Toll,
) -> anyhow::Result<()> {
    let dead = dead_letters(installation).await?;
    summary.expected = expected.arriving.len() + expected.dying.len();
    let arrived = |(event, index): &&(String, usize)| cast.members[*index].hook.has_delivered(event);
    summary.delivered = expected.arriving.iter().filter(arrived).count();
    summary.dead_lettered = expected.dying.intersection(&dead).count();
    summary.open = expected.open.len();
    summary.lost = summary.expected - summary.delivered - summary.dead_lettered;
    let hooks = cast.members.iter().map(|member| &member.hook);
    for tally in hooks
        .chain(cast.witnesses.iter().map(|witness| &witness.hook))
        .map(Hook::tally)
    {
        summary.duplicates += tally.duplicates;
        summary.bad_signatures += tally.bad_signatures;
    }
    summary.kills = toll.count();
    summary.halts = toll.halted.len();
    summary.terminations = toll.ended.len();

    let elsewhere = summary.duplicates - summary.lasting_duplicates.min(summary.duplicates);
    let open = endpoints_of(cast, Fate::Open);
    let strangers = dead.difference(&expected.dying);
    let strangers = strangers
        .filter(|(_, endpoint)| !open.contains(endpoint.as_str()))
        .count();
    let rules = [
        (summary.lost, 0, "deliveries are lost (invariant 1)"),
        (summary.bad_signatures, 0, "requests are not signed as they must be"),
        (summary.duplicates, summary.bound, "deliveries came again"),
        (
            elsewhere,
            summary.bound - summary.lasting_bound,
            "deliveries came again to endpoints that answer within a second",
        ),
        (
            cast.trap.connections(),
            0,
            "connections came to a forbidden address (invariant 4)",
        ),
        (strangers, 0, "dead letters are of deliveries that must arrive"),
    ];
    for (count, most, words) in rules {
        if count > most {
            summary.violations.push(format!("{count} {words}; at most {most} may"));
        }
    }
    summary.violations.extend(
        toll.unasked
            .iter()
            .map(|said| format!("a process ended by itself: {said}")),
    );
    summary.violations.extend(specials::judge(cast));
    let logbook = installation.logbook().await?;
    compare_with_log(summary, &logbook, cast, expected);
    let wrong = specials::wrong_fates(&logbook, cast, expected, &dead);
    if !wrong.is_empty() {
        let some = wrong[..wrong.len().min(5)].join("; ");
        summary
            .violations
            .push(format!("{} fates are wrong: {some}", wrong.len()));
    }
    Ok(())
}

/// What may come twice: what dispatchers had in flight that were killed, or stood still until others had taken over; what
/// all of them had when brokers were away for longer than a session; and what fan-out wrote again (of that, the recent
/// sets of dispatchers that live on drop nearly all). SIGTERM, joining and leaving allow nothing where receivers answer
/// within the second that a revoke waits; what they allow elsewhere is [`crate::limits::lasting`].
pub(crate) fn bound(toll: &Toll, outages: Outages, repeats: usize, max_in_flight: usize) -> usize {
    let outlived = (outages.one + outages.all) * fleet::DISPATCHERS;
    let in_flight = (toll.of(Role::Dispatcher) + outlived) * max_in_flight;
    println!("chaos: at most {in_flight} were in flight in dispatchers that lost them; fan-out wrote {repeats} again");
    in_flight + repeats
}

/// The log resolves each expected pair to what the receivers and the dead letters say, and knows no other pair.
fn compare_with_log(summary: &mut Summary, logbook: &Logbook, cast: &Cast, expected: &Expected) {
    let fates = logbook.by_pair();
    let arriving = expected
        .arriving
        .iter()
        .map(|(event, index)| (event.as_str(), cast.members[*index].id.as_str(), Outcome::Delivered));
    let dying = expected
        .dying
        .iter()
        .map(|(event, endpoint)| (event.as_str(), endpoint.as_str(), Outcome::Dead));
    let mut wrong = Vec::new();
    for (event, endpoint, outcome) in arriving.chain(dying) {
        let logged = fates.get(&(event, endpoint)).map(|fate| fate.outcome());
        if logged != Some(outcome) {
            wrong.push(format!("{event} for {endpoint}: {logged:?} instead of {outcome:?}"));
        }
    }
    if !wrong.is_empty() {
        let some = wrong[..wrong.len().min(5)].join("; ");
        summary.violations.push(format!(
            "the log resolves {} deliveries wrongly (invariant 1): {some}",
            wrong.len()
        ));
    }
    let mut others = endpoints_of(cast, Fate::Open);
    others.extend(cast.witnesses.iter().map(|witness| witness.id.as_str()));
    let logged = logbook.deliveries.values();
    let logged = logged
        .filter(|fate| !others.contains(fate.endpoint_id.as_str()))
        .count();
    if logged > summary.expected {
        let count = logged - summary.expected;
        summary.violations.push(format!(
            "the log has {count} deliveries that nobody expected (invariant 6)"
        ));
    }
}

/// Ids of the endpoints of this fate.
fn endpoints_of(cast: &Cast, fate: Fate) -> HashSet<&str> {
    cast.of_fate(|found| found == fate)
        .map(|member| member.id.as_str())
        .collect()
}
