//! Two tenants with healthy endpoints, and how long an event takes to them at a steady rate.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::ensure;
use harness::{Hook, Receiver, until};
use tokio::time::{Instant, MissedTickBehavior};

use crate::stage::{Party, Placement, Stage, event_id};

/// For the last events to arrive.
const PATIENCE: Duration = Duration::from_secs(120);

/// The endpoints that are watched, by shard.
pub(super) struct Observers {
    _receiver: Receiver,
    parties: [(Party, Hook); 2],
    next: std::sync::atomic::AtomicU64,
}

/// Times of one endpoint's events, in milliseconds, shortest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Latencies {
    took: Vec<f64>,
}

impl Latencies {
    pub(super) fn new(mut took: Vec<f64>) -> Self {
        took.sort_by(f64::total_cmp);
        Self { took }
    }

    pub(super) fn count(&self) -> usize {
        self.took.len()
    }

    /// The time that this share of the events did not exceed. NaN without any.
    pub(super) fn at(&self, share: f64) -> f64 {
        let rank = (self.took.len() as f64 * share).ceil() as usize;
        self.took.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn p99(&self) -> f64 {
        self.at(0.99)
    }

    /// All of these as one.
    pub(super) fn pooled<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        Self::new(all.flat_map(|latencies| latencies.took.iter().copied()).collect())
    }
}

impl Observers {
    pub(super) async fn start(stage: &Stage, placement: Placement, shards: [i32; 2]) -> anyhow::Result<Self> {
        let receiver = Receiver::start().await?;
        let observer = async |name: &str, shard| -> anyhow::Result<(Party, Hook)> {
            let hook = receiver.hook(name);
            let party = stage.party(name, hook.url(), placement, shard, |_| {}).await?;
            hook.expect_signatures("webhook-", std::slice::from_ref(&party.secret))?;
            Ok((party, hook))
        };
        let parties = [observer("near", shards[0]).await?, observer("far", shards[1]).await?];
        Ok(Self {
            _receiver: receiver,
            parties,
            next: 0.into(),
        })
    }

    /// Publishes `rate` events a second for each, waits until all have come, and says how long they took.
    pub(super) async fn measure(&self, stage: &Stage, rate: u32, seconds: u32) -> anyhow::Result<[Latencies; 2]> {
        let events = u64::from(rate) * u64::from(seconds);
        let first = self.next.fetch_add(events, std::sync::atomic::Ordering::Relaxed);
        let mut beats = tokio::time::interval(Duration::from_secs(1) / rate);
        beats.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut published = HashMap::new();
        let mut acks = Vec::new();
        for number in first..first + events {
            beats.tick().await;
            for (party, _) in &self.parties {
                let record = stage.event(party, number)?;
                published.insert(event_id(party, number), Instant::now());
                acks.push(stage.producer.send(&record).await?);
            }
        }
        for ack in acks {
            ack.await?;
        }
        until("every event has come", PATIENCE, async || {
            let missing = self
                .parties
                .iter()
                .map(|(_, hook)| (first + events) as usize - hook.tally().delivered.min((first + events) as usize));
            match missing.sum::<usize>() {
                0 => Ok(()),
                missing => Err(format!("{missing} are missing")),
            }
        })
        .await?;
        Ok([
            times(&self.parties[0].1, &published)?,
            times(&self.parties[1].1, &published)?,
        ])
    }
}

fn times(hook: &Hook, published: &HashMap<String, Instant>) -> anyhow::Result<Latencies> {
    let tally = hook.tally();
    ensure!(
        tally.duplicates == 0 && tally.bad_signatures == 0,
        "each should have come once, well signed: {tally:?}"
    );
    let took: Vec<f64> = hook
        .requests()
        .iter()
        .filter_map(|seen| Some((seen.at - *published.get(&seen.event_id)?).as_secs_f64() * 1e3))
        .collect();
    ensure!(!took.is_empty(), "nothing was published");
    Ok(Latencies::new(took))
}

#[cfg(test)]
mod tests {
    //! The arithmetic.
    use super::*;

    #[test]
    fn shares_of_what_was_pooled() {
        let (low, high) = (Latencies::new(vec![2.0, 1.0]), Latencies::new(vec![4.0, 3.0]));
        let pooled = Latencies::pooled([&high, &low].into_iter());
        assert_eq!((pooled.at(0.5), pooled.p99(), pooled.count()), (2.0, 4.0, 4));
        assert!(Latencies::default().p99().is_nan());
    }
}
