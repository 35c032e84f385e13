//! Who takes part: two tenants, their endpoints with the receivers behind them, and who expects what. The matching here
//! is the run's own, by equality of names, and nothing of the product's.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::Ipv4Addr;
use std::time::Duration;

use harness::{Answer, Behaviour, Direct, Hook, Receiver, Seen, Trap};
use schemas::{Endpoint, Limit};

/// Types that the events have, all with the same data.
pub(crate) const TYPES: [&str; 5] = [
    "vault.upload.initiated",
    "vault.upload.completed",
    "vault.upload.failed",
    "vault.ingest.started",
    "vault.ingest.failed",
];
pub(crate) const TENANTS: usize = 2;

/// The one network that the processes are allowed, and an address outside it.
pub(crate) const ALLOWED: &str = "127.0.0.1/32";
const FORBIDDEN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Of endpoints that are slow: requests a second, at once from rest, under way.
pub(crate) const SLOW_PER_SEC: f64 = 25.0;
pub(crate) const SLOW_BURST: usize = 5;
pub(crate) const SLOW_AT_ONCE: usize = 8;
/// Requests under way to an endpoint whose requests last.
pub(crate) const LASTING_AT_ONCE: usize = 4;

/// How an endpoint's receiver is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Quick,
    /// 503 to three requests in ten.
    Flaky,
    /// 50 to 300 ms, limited in rate and concurrency.
    Slow,
    /// One request in ten takes 1.2 to 3 s: longer than a revoke waits.
    Lasting,
    /// Refuses connections until it is brought up.
    Down,
    /// 404: everything for it becomes a dead letter.
    Rejecting,
    /// 410: it is disabled, and everything for it becomes a dead letter.
    Gone,
    /// At an address that the egress policy forbids, and not tried again: dead letters, and no connection.
    Forbidden,
}

const MANNERS: [Manner; 5] = [
    Manner::Quick,
    Manner::Flaky,
    Manner::Slow,
    Manner::Lasting,
    Manner::Down,
];
/// Of the second tenant, in place of [`Manner::Down`].
const DEADLY: [Manner; 3] = [Manner::Rejecting, Manner::Gone, Manner::Forbidden];

impl Manner {
    /// Whether everything for it becomes a dead letter.
    pub(crate) fn is_deadly(self) -> bool {
        DEADLY.contains(&self)
    }

    fn customize(self, endpoint: &mut Endpoint) {
        match self {
            Self::Slow => {
                endpoint.rate_limit = Some(Limit {
                    per_second: SLOW_PER_SEC,
                    burst: SLOW_BURST as i32,
                });
                endpoint.max_in_flight = Some(SLOW_AT_ONCE as i32);
            }
            Self::Lasting => endpoint.max_in_flight = Some(LASTING_AT_ONCE as i32),
            Self::Forbidden => endpoint.retry_schedule_sec = Some(Vec::new()),
            Self::Quick | Self::Flaky | Self::Down | Self::Rejecting | Self::Gone => {}
        }
    }
}

/// What an endpoint of this number is like. Each manner comes dedicated and shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) tenant: usize,
    pub(crate) event_type: usize,
    pub(crate) manner: Manner,
    pub(crate) dedicated: bool,
}

impl Part {
    pub(crate) fn of(number: usize) -> Self {
        let (tenant, within) = (number % TENANTS, number / TENANTS);
        let mixed = within + within / TYPES.len();
        let manner = match MANNERS[mixed % MANNERS.len()] {
            Manner::Down if tenant == 1 => DEADLY[mixed / MANNERS.len() % DEADLY.len()],
            manner => manner,
        };
        Self {
            tenant,
            event_type: within % TYPES.len(),
            manner,
            dedicated: (mixed + tenant).is_multiple_of(2),
        }
    }
}

pub(crate) struct Member {
    pub(crate) part: Part,
    pub(crate) id: String,
    pub(crate) hook: Hook,
}

pub(crate) struct Cast {
    /// Ids, by number.
    pub(crate) tenants: Vec<String>,
    pub(crate) members: Vec<Member>,
    _receiver: Receiver,
    pub(crate) down: Receiver,
    /// Where no request may go.
    pub(crate) trap: Trap,
}

impl Cast {
    /// Makes tenants and endpoints, eight at a time.
    pub(crate) async fn assemble(direct: &Direct, endpoints: usize, seed: u64) -> anyhow::Result<Self> {
        let (receiver, down, trap) = (Receiver::start().await?, Receiver::down()?, Trap::set(FORBIDDEN).await?);
        let mut tenants = Vec::new();
        for number in 0..TENANTS {
            tenants.push(
                direct
                    .tenant(&format!("Tenant {number}"), &["platform"], |_| ())
                    .await?,
            );
        }
        let mut members = Vec::new();
        let mut making = tokio::task::JoinSet::new();
        for number in 0..endpoints {
            if making.len() >= 8
                && let Some(made) = making.join_next().await
            {
                members.push(made??);
            }
            let part = Part::of(number);
            let server = if part.manner == Manner::Down { &down } else { &receiver };
            let hook = server.hook(&format!("endpoint-{number}"));
            hook.behave(behaviour(part.manner, seed));
            let url = match part.manner {
                Manner::Forbidden => trap.url(),
                _ => hook.url().to_owned(),
            };
            making.spawn(make(direct.clone(), tenants[part.tenant].clone(), part, url, hook));
        }
        while let Some(made) = making.join_next().await {
            members.push(made??);
        }
        Ok(Self {
            tenants,
            members,
            _receiver: receiver,
            down,
            trap,
        })
    }

    /// Endpoints that an event is for.
    pub(crate) fn wanting(&self, tenant: usize, event_type: usize) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .filter(move |member| member.part.tenant == tenant && member.part.event_type == event_type)
    }
}

async fn make(direct: Direct, tenant: String, part: Part, url: String, hook: Hook) -> anyhow::Result<Member> {
    let placement = if part.dedicated { "dedicated" } else { "shared" };
    let made = direct
        .endpoint(&tenant, &url, &[TYPES[part.event_type]], |endpoint| {
            endpoint.placement = placement.to_owned();
            part.manner.customize(endpoint);
        })
        .await?;
    hook.expect_signatures("webhook-", &[made.secret])?;
    Ok(Member {
        part,
        id: made.id,
        hook,
    })
}

fn behaviour(manner: Manner, seed: u64) -> Behaviour {
    match manner {
        Manner::Quick | Manner::Down | Manner::Forbidden => Behaviour::always(Answer::ok()),
        Manner::Rejecting => Behaviour::always(Answer::status(404)),
        Manner::Gone => Behaviour::always(Answer::status(410)),
        Manner::Flaky => Behaviour::by(move |seen, before| match roll(seed, seen, before) % 10 {
            0..3 => Answer::status(503),
            _ => Answer::ok(),
        }),
        Manner::Slow => {
            Behaviour::by(move |seen, before| Answer::slow(Duration::from_millis(50 + roll(seed, seen, before) % 250)))
        }
        Manner::Lasting => Behaviour::by(move |seen, before| lasting(roll(seed, seen, before))),
    }
}

/// One in ten.
fn lasting(rolled: u64) -> Answer {
    match rolled % 10 {
        0 => Answer::slow(Duration::from_millis(1_200 + rolled % 1_800)),
        _ => Answer::ok(),
    }
}

fn roll(seed: u64, seen: &Seen, before: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, &seen.event_id, before).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_endpoints_have_every_manner_and_the_living_in_both_placements() {
        let parts: Vec<_> = (0..50).map(Part::of).collect();
        let dedicated = parts.iter().filter(|part| part.dedicated).count();
        assert!((22..=28).contains(&dedicated), "{dedicated}");
        for (manner, dedicated) in MANNERS.into_iter().flat_map(|manner| [(manner, true), (manner, false)]) {
            let has = |part: &Part| (part.manner, part.dedicated) == (manner, dedicated);
            assert!(parts.iter().any(has), "{manner:?}, dedicated: {dedicated}");
        }
        for manner in DEADLY {
            assert!(parts.iter().any(|part| part.manner == manner), "{manner:?}");
        }
    }
}
