//! What a producer publishes during a run, and which (event, endpoint) pairs follow from it.

use std::collections::HashSet;
use std::time::Duration;

use harness::Installation;
use harness::publish::Told;
use kafka_log::{Ack, Producer};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::cast::{Cast, TENANTS, TYPES};
use crate::manner::{Fate, Manner};

/// A producer outlives an outage of all brokers; what it isn't told of it would have to write again.
const PRODUCER_PATIENCE_MS: &str = "300000";
/// How often a portion is published.
const PORTION: Duration = Duration::from_millis(100);
/// Events of each type and tenant after the storm.
const LATE_EACH: usize = 2;

/// An event that Kafka acknowledged.
pub(crate) struct Published {
    pub(crate) id: String,
    pub(crate) tenant: usize,
    pub(crate) event_type: usize,
    /// After the last change of the ledger: its endpoints are as they were left.
    pub(crate) is_late: bool,
}

/// Pairs of event and endpoint, as indexes and ids.
#[derive(Default)]
pub(crate) struct Expected {
    /// (event id, endpoint's index) that must arrive.
    pub(crate) arriving: Vec<(String, usize)>,
    /// (event id, endpoint id) that must become dead letters.
    pub(crate) dying: HashSet<(String, String)>,
    /// Of those, what is replayed in the end.
    pub(crate) recovering: Vec<(String, usize)>,
    /// (event id, endpoint's index) that may become this or that.
    pub(crate) open: Vec<(String, usize)>,
    /// (event id, endpoint's index) that must not be matched: it was deleted before.
    pub(crate) unmatched: Vec<(String, usize)>,
}

impl Expected {
    /// What died for a while must arrive from now on.
    pub(crate) fn recover(&mut self, cast: &Cast) {
        for (event, index) in self.recovering.drain(..) {
            self.dying.remove(&(event.clone(), cast.members[index].id.clone()));
            self.arriving.push((event, index));
        }
    }
}

/// Publishes events evenly over `duration`, until they are `deliveries` pairs or a few more. Returns when all are
/// acknowledged.
pub(crate) async fn publish(
    installation: &Installation,
    cast: &Cast,
    deliveries: usize,
    seed: u64,
    duration: Duration,
) -> anyhow::Result<Vec<Published>> {
    let producer = Producer::new(&installation.connection_with(&[("message.timeout.ms", PRODUCER_PATIENCE_MS)]))?;
    let topic = installation.names().events();
    let mut random = StdRng::seed_from_u64(seed);
    let mut portions = interval(PORTION);
    portions.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (begin, mut pairs) = (Instant::now(), 0);
    let (mut published, mut acks): (Vec<Published>, Vec<Ack>) = (Vec::new(), Vec::new());
    while pairs < deliveries {
        portions.tick().await;
        let passed = begin.elapsed().as_secs_f64() / duration.as_secs_f64();
        let due = ((passed * deliveries as f64) as usize).min(deliveries);
        while pairs < due {
            let event = Published {
                id: format!("evt-{seed}-{:06}", published.len()),
                tenant: random.random_range(0..TENANTS),
                event_type: random.random_range(0..TYPES.len()),
                is_late: false,
            };
            pairs += cast.wanting(event.tenant, event.event_type).count();
            acks.push(producer.send(&record(&topic, cast, &event)).await?);
            published.push(event);
        }
    }
    for ack in acks {
        ack.await?;
    }
    Ok(published)
}

/// A few events of each type and tenant, when nothing changes any more.
pub(crate) async fn publish_late(
    installation: &Installation,
    cast: &Cast,
    seed: u64,
) -> anyhow::Result<Vec<Published>> {
    let producer = Producer::new(&installation.connection())?;
    let topic = installation.names().events();
    let (mut published, mut acks) = (Vec::new(), Vec::new());
    for number in 0..LATE_EACH * TENANTS * TYPES.len() {
        let event = Published {
            id: format!("evt-{seed}-late-{number:03}"),
            tenant: number % TENANTS,
            event_type: number / TENANTS % TYPES.len(),
            is_late: true,
        };
        acks.push(producer.send(&record(&topic, cast, &event)).await?);
        published.push(event);
    }
    for ack in acks {
        ack.await?;
    }
    Ok(published)
}

fn record(topic: &str, cast: &Cast, event: &Published) -> kafka_log::Outgoing {
    let data = json!({
        "vaultId": "vault_1", "objectId": event.id, "filename": "a.pdf", "mimeType": "application/pdf", "sizeBytes": 1,
        "error": "none",
    });
    let told = Told::new(&event.id, TYPES[event.event_type], &cast.tenants[event.tenant], &data);
    let mut record = told.hookline_json(topic);
    // Over all partitions.
    record.key = Some(event.id.clone().into_bytes());
    record
}

/// What must come of these events.
pub(crate) fn expected(cast: &Cast, published: &[Published]) -> Expected {
    let mut expected = Expected::default();
    for event in published {
        for (index, member) in cast.members.iter().enumerate() {
            if (member.part.tenant, member.part.event_type) != (event.tenant, event.event_type) {
                continue;
            }
            let fate = member.part.manner.fate();
            if matches!(fate, Fate::Die(_) | Fate::Recover) {
                expected.dying.insert((event.id.clone(), member.id.clone()));
            }
            match fate {
                Fate::Arrive => expected.arriving.push((event.id.clone(), index)),
                Fate::Recover => expected.recovering.push((event.id.clone(), index)),
                Fate::Open if event.is_late && member.part.manner == Manner::Deleted => {
                    expected.unmatched.push((event.id.clone(), index));
                }
                Fate::Open if event.is_late => expected.arriving.push((event.id.clone(), index)),
                Fate::Open => expected.open.push((event.id.clone(), index)),
                Fate::Die(_) => {}
            }
        }
    }
    expected
}
