//! What came of it, from the receivers and from Kafka's topics read once more in full, when every process has ended.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use harness::logbook::Outcome;
use harness::{Logbook, read_to_end};

use crate::cast;
use crate::disabling::notices;
use crate::matcher::Expected;
use crate::publishing::Published;
use crate::stage::{Endpoint, Stage};
use crate::watch::{Aside, Watch};

/// The figures of the last line, and what else was looked at.
#[derive(Debug, Default)]
pub struct Verdict {
    events: usize,
    expected: usize,
    delivered: usize,
    duplicates: usize,
    lost: usize,
    dead_lettered: usize,
    replayed: usize,
    bad_signatures: usize,
    rejected: usize,
    /// Everything that must not be, in words.
    wrong: Vec<String>,
    /// What else this run showed.
    shown: Vec<String>,
}

impl Verdict {
    /// `wrong`: what was found wrong before.
    pub async fn reach(
        stage: &Stage,
        watch: &Watch,
        published: &Published,
        wrong: Vec<String>,
    ) -> anyhow::Result<Self> {
        let connection = stage.installation().connection();
        let mut aside = Aside::default();
        for record in read_to_end(&connection, &connection.names().dlq()).await? {
            aside.note_dead_letter(&record)?;
        }
        for record in read_to_end(&connection, &connection.names().rejected()).await? {
            aside.note_rejected(&record)?;
        }
        let logbook = Logbook::read(&connection).await?;
        let mut verdict = Self {
            events: published.events.len(),
            wrong,
            ..Self::default()
        };
        verdict.dead_lettered = aside.dead_ever.len();
        verdict.rejected = aside.rejected.len();
        verdict.replayed = logbook.deliveries.values().map(harness::logbook::Fate::replays).sum();
        verdict.count_deliveries(stage, &watch.expected, &aside);
        verdict.check_rejections(&aside, published);
        verdict.check_bodies(&stage.endpoints, &watch.expected);
        verdict.check_log(&logbook, &stage.endpoints, &watch.expected);
        verdict.show_tempers(&stage.endpoints);
        verdict.check_forbidden(stage);
        verdict.check_cloud_events(stage);
        verdict.check_tests(stage);
        Ok(verdict)
    }

    /// Whether the exit status is 0.
    pub fn is_good(&self) -> bool {
        self.wrong.is_empty() && self.lost == 0 && self.bad_signatures == 0
    }

    /// For scripts.
    pub fn line(&self) -> String {
        format!(
            "demo: events={} expected={} delivered={} duplicates={} lost={} dead_lettered={} replayed={} bad_signatures={} rejected={}",
            self.events,
            self.expected,
            self.delivered,
            self.duplicates,
            self.lost,
            self.dead_lettered,
            self.replayed,
            self.bad_signatures,
            self.rejected
        )
    }

    /// For people.
    pub fn explain(&self) {
        println!("\nWhat this run showed:");
        self.shown.iter().for_each(|line| println!("  - {line}"));
        if !self.wrong.is_empty() {
            println!("What was wrong:");
            self.wrong.iter().for_each(|line| println!("  ! {line}"));
        }
    }

    fn count_deliveries(&mut self, stage: &Stage, expected: &Expected, aside: &Aside) {
        let dead_now: HashSet<_> = aside.dead_now.values().collect();
        let tests = stage.arrived_tests();
        for (endpoint, expected) in stage.endpoints.iter().zip(expected) {
            let arrived = endpoint.hook.delivered();
            let tally = endpoint.hook.tally();
            self.expected += expected.len();
            self.duplicates += tally.duplicates;
            self.bad_signatures += tally.bad_signatures;
            self.delivered += expected.keys().filter(|event| arrived.contains(*event)).count();
            let never = expected.keys().filter(|event| !arrived.contains(*event));
            let lost = never.filter(|event| !dead_now.contains(&(endpoint.id.clone(), (*event).clone())));
            self.lost += lost.count();
            let own = if endpoint.plan.name == cast::TOLD {
                notices(&endpoint.hook)
            } else {
                HashMap::new()
            };
            let strangers = arrived
                .iter()
                .filter(|event| !expected.contains_key(*event) && !own.contains_key(*event) && !tests.contains(*event))
                .count();
            if strangers > 0 {
                self.wrong.push(format!(
                    "{} received {strangers} events that were not for it",
                    endpoint.plan.name
                ));
            }
        }
    }

    fn check_rejections(&mut self, aside: &Aside, published: &Published) {
        let broken: HashSet<_> = published.broken.iter().cloned().collect();
        let missing = broken.difference(&aside.rejected).count();
        let sound = aside.rejected.difference(&broken).count();
        if missing + sound > 0 {
            self.wrong.push(format!(
                "{missing} broken records were not rejected, and {sound} sound ones were"
            ));
        }
        self.shown.push(format!(
            "{} records were broken on purpose; each is in `rejected`, with its reason and origin",
            broken.len()
        ));
    }

    /// Data must arrive byte for byte as it was published.
    fn check_bodies(&mut self, endpoints: &[Endpoint], expected: &Expected) {
        let mut compared = 0;
        for (endpoint, expected) in endpoints.iter().zip(expected) {
            let delivered = endpoint.hook.requests().into_iter().filter(harness::Seen::is_delivered);
            let changed = delivered.filter(|seen| {
                let Some(data) = expected.get(&seen.event_id) else {
                    return false;
                };
                compared += 1;
                !String::from_utf8_lossy(&seen.body).contains(data.as_str())
            });
            let changed = changed.count();
            if changed > 0 {
                self.wrong.push(format!(
                    "{} received {changed} bodies whose data is not what was published",
                    endpoint.plan.name
                ));
            }
        }
        self.shown
            .push(format!("{compared} bodies carried their event's data byte for byte"));
    }

    /// The log must tell what the receivers saw.
    fn check_log(&mut self, logbook: &Logbook, endpoints: &[Endpoint], expected: &Expected) {
        let by_pair = logbook.by_pair();
        let mut differing = 0;
        for (endpoint, expected) in endpoints.iter().zip(expected) {
            let arrived = endpoint.hook.delivered();
            for event in expected.keys() {
                let outcome = by_pair
                    .get(&(event.as_str(), endpoint.id.as_str()))
                    .map(|fate| fate.outcome());
                let wanted = if arrived.contains(event) {
                    Outcome::Delivered
                } else {
                    Outcome::Dead
                };
                differing += usize::from(outcome != Some(wanted));
            }
        }
        if differing > 0 {
            self.wrong.push(format!(
                "of {differing} deliveries the topic `log` tells something else than the receivers"
            ));
        }
        self.shown.push(format!(
            "the topic `log` tells of {} deliveries: {} delivered, {} dead, {} neither",
            logbook.deliveries.len(),
            logbook.count(Outcome::Delivered),
            logbook.count(Outcome::Dead),
            logbook.count(Outcome::Pending) + logbook.count(Outcome::Cancelled)
        ));
    }

    fn check_forbidden(&mut self, stage: &Stage) {
        let connections = stage.trapped();
        if connections > 0 {
            self.wrong.push(format!(
                "{connections} connections came to an address that is forbidden"
            ));
        }
        let line = "`blocked` has an address that egress.allow_networks doesn't allow: no connection was made";
        self.shown.push(line.to_owned());
    }

    fn check_cloud_events(&mut self, stage: &Stage) {
        let requests = stage.endpoint(cast::CLOUD_EVENTS).hook.requests();
        let is_one = |seen: &harness::Seen| {
            let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap_or_default();
            seen.headers["content-type"] == "application/cloudevents+json"
                && body["specversion"] == "1.0"
                && body["id"] == seen.event_id.as_str()
        };
        let others = requests.iter().filter(|seen| !is_one(seen)).count();
        if others > 0 {
            self.wrong
                .push(format!("{others} bodies that should be CloudEvents aren't"));
        }
    }

    /// Only `fast` could answer its test.
    fn check_tests(&mut self, stage: &Stage) {
        let arrived = stage.arrived_tests().len();
        if arrived != 1 {
            self.wrong.push(format!("{arrived} test sends arrived, not one"));
        }
        let line = "the test send to `fast` arrived with a good signature; it counts nowhere else";
        self.shown.push(line.to_owned());
    }

    fn show_tempers(&mut self, endpoints: &[Endpoint]) {
        for Endpoint { plan, hook, .. } in endpoints {
            let tally = hook.tally();
            let line = match plan.name {
                "limited" => {
                    let most = hook.most_within(Duration::from_secs(1));
                    format!("`limited` got at most {most} requests within any second")
                }
                "slow" => format!("`slow` never had more than {} requests under way", tally.most_at_once),
                "flaky" => format!(
                    "`flaky` took {} requests for {} deliveries",
                    tally.requests, tally.delivered
                ),
                "down" => format!(
                    "`down` got {} of its {} deliveries by replay, marked with `webhook-replay: true`",
                    tally.delivered_by_replay, tally.delivered
                ),
                "gone" => format!(
                    "`gone` was asked {} times, then disabled; the rest of its deliveries are dead letters",
                    tally.requests
                ),
                "failing" => format!(
                    "`failing` was disabled after {} requests in vain; what waited are dead letters",
                    tally.requests
                ),
                cast::TOLD => format!(
                    "`told` got Hookline's own events about {} endpoints",
                    notices(hook).len()
                ),
                "public-key" => format!("`public-key` verified {} ed25519 signatures", tally.delivered),
                _ => continue,
            };
            self.shown.push(line);
        }
    }
}
