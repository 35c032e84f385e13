//! The product being measured: its endpoints, a backlog for them, one fan-out and one dispatcher, each alone.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use harness::{MadeEndpoint, until};

use crate::receiver::{Receiver, Tally};
use crate::stage::{Setting, Stage};
use crate::{body, machine};

/// Requests under way to an endpoint that is alone: enough that waiting for the receiver is no limit. Where there are
/// several, each has the product's default, so that they have about as many together.
pub(crate) const MAX_IN_FLIGHT: i32 = 256;
/// As the product has it by default.
const LANES: u16 = 64;
/// For a backlog to become deliveries, or to be delivered. Far beyond what any machine needs.
const TIMEOUT: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(20);

/// An installation with a clerk and a scheduler running, and nothing else.
pub(crate) struct Product {
    stage: Stage,
}

/// A tenant with endpoints, each with a listener of the receiver.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    tenant: String,
    endpoints: Vec<MadeEndpoint>,
    /// Topics and partitions that its deliveries go to.
    homes: Vec<(String, i32)>,
}

impl Case {
    /// Deliveries of one event.
    pub(crate) fn endpoints(&self) -> u64 {
        self.endpoints.len() as u64
    }
}

/// One dispatcher's work on a backlog.
#[derive(Debug, Clone)]
pub(crate) struct Delivered {
    pub(crate) tally: Tally,
    /// Processor time of the dispatcher's process, its start included.
    pub(crate) cpu_us: u64,
    /// Deliveries put back because they couldn't be sent at once.
    pub(crate) deferrals: u64,
}

impl Product {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let setting = Setting {
            name: "loadtest",
            lanes: LANES,
            settings: &[],
            support: &["api", "scheduler"],
        };
        let stage = Stage::start(setting).await?;
        Ok(Self { stage })
    }

    /// A tenant of its own with so many endpoints, from the receiver's first listener on.
    pub(crate) async fn case(
        &self,
        name: &'static str,
        receiver: &Receiver,
        dedicated: usize,
        shared: usize,
    ) -> anyhow::Result<Case> {
        let tenant = self.stage.direct.tenant(name, &["platform"], |_| {}).await?;
        let mut endpoints = Vec::new();
        let mut homes = Vec::new();
        let max_in_flight = (dedicated + shared == 1).then_some(MAX_IN_FLIGHT);
        for number in 0..dedicated + shared {
            let placement = if number < dedicated { "dedicated" } else { "shared" };
            let url = receiver.url(number);
            let made = self
                .stage
                .direct
                .endpoint(&tenant, &url, &[body::EVENT_TYPE], |endpoint| {
                    endpoint.placement = placement.to_owned();
                    endpoint.max_in_flight = max_in_flight;
                })
                .await?;
            homes.push(self.stage.home(&made.id)?);
            endpoints.push(made);
        }
        homes.sort_unstable();
        homes.dedup();
        Ok(Case {
            name,
            tenant,
            endpoints,
            homes,
        })
    }

    /// Publishes events, starts a fan-out, and ends it when the last delivery is written: deliveries written a second,
    /// from the first that is seen to the last.
    pub(crate) async fn fan_out(&self, case: &Case, round: usize, events: u64) -> anyhow::Result<f64> {
        let before = self.waiting(case).await?;
        let id = |number| (number, format!("evt-{}-{round:02}-{number:08}", case.name));
        self.stage.publish_all(&case.tenant, (0..events).map(id)).await?;
        let expected = events * case.endpoints();
        let mut fanout =
            self.stage
                .installation
                .start_process(&format!("fanout-{}-{round}", case.name), &["fanout"], &[])?;
        let deadline = Instant::now() + TIMEOUT;
        let mut first = None;
        let rate = loop {
            let written = self.waiting(case).await? - before;
            let now = Instant::now();
            match first {
                None if written > 0 => first = Some((now, written)),
                Some((since, already)) if written >= expected => {
                    break (written - already) as f64 / (now - since).as_secs_f64();
                }
                _ => ensure!(
                    now < deadline,
                    "{written} of {expected} deliveries were written\n{}",
                    fanout.log_tail()
                ),
            }
            tokio::time::sleep(POLL).await;
        };
        fanout.terminate().await?;
        Ok(rate)
    }

    /// Starts a dispatcher on what waits, and ends it when the receiver has all.
    pub(crate) async fn deliver(
        &self,
        case: &Case,
        round: usize,
        events: u64,
        receiver: &mut Receiver,
    ) -> anyhow::Result<Delivered> {
        let expected = events * case.endpoints();
        receiver
            .begin(case.endpoints.iter().map(|e| e.secret.clone()).collect())
            .await?;
        let mut dispatcher = self.stage.installation.start_process(
            &format!("dispatcher-{}-{round}", case.name),
            &["dispatcher"],
            &[],
        )?;
        until("the receiver has everything", TIMEOUT, async || {
            match receiver.count().await {
                Ok(count) if count >= expected => Ok(()),
                Ok(count) => Err(format!("it has {count} of {expected}")),
                Err(error) => Err(format!("{error:#}")),
            }
        })
        .await
        .with_context(|| dispatcher.log_tail())?;
        let cpu_us = machine::cpu_us(dispatcher.pid())?;
        let deferrals = counter(&dispatcher.metrics().await?, "hookline_deferrals_total");
        dispatcher.terminate().await?;
        let tally = receiver.end().await?;
        ensure!(
            tally.requests == expected && tally.distinct == expected && tally.bad_signatures == 0,
            "{expected} deliveries should have come once each, well signed; the receiver got {tally:?}"
        );
        Ok(Delivered {
            tally,
            cpu_us,
            deferrals,
        })
    }

    /// Ends its processes and deletes its topics.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        self.stage.end().await
    }

    /// Records ever written to where the case's deliveries go.
    async fn waiting(&self, case: &Case) -> anyhow::Result<u64> {
        let mut records = 0;
        for home in &case.homes {
            records += self.stage.written_to(home).await?;
        }
        Ok(records)
    }
}

/// The sum of a counter in Prometheus' text format.
pub(crate) fn counter(metrics: &str, name: &str) -> u64 {
    metrics
        .lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter(|rest| rest.starts_with(['{', ' ']))
        .filter_map(|rest| rest.rsplit_once(' ')?.1.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    //! The metrics' text.
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_labels() {
        let text = "# TYPE a counter\na 3\na{b=\"c d\"} 4\nab 5\n";
        assert_eq!(counter(text, "a"), 7);
        assert_eq!(counter(text, "missing"), 0);
    }
}
