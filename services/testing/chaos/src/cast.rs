//! Who takes part: two tenants, their endpoints with the receivers behind them, and who expects what. The matching here
//! is the run's own, by equality of names, and nothing of the product's.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use harness::{Answer, Behaviour, Direct, Hook, Receiver, Seen};

/// Types that the events have, all with the same data.
pub(crate) const TYPES: [&str; 5] = [
    "vault.upload.initiated",
    "vault.upload.completed",
    "vault.upload.failed",
    "vault.ingest.started",
    "vault.ingest.failed",
];
pub(crate) const TENANTS: usize = 2;

/// How an endpoint's receiver is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Quick,
    /// 503 to three requests in ten.
    Flaky,
    /// 50 to 300 ms.
    Slow,
    /// Refuses connections until it is brought up.
    Down,
    /// 404: everything for it becomes a dead letter.
    Rejecting,
}

const MANNERS: [Manner; 5] = [Manner::Quick, Manner::Flaky, Manner::Slow, Manner::Quick, Manner::Down];

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
            Manner::Down if tenant == 1 => Manner::Rejecting,
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
}

impl Cast {
    /// Makes tenants and endpoints, eight at a time.
    pub(crate) async fn assemble(direct: &Direct, endpoints: usize, seed: u64) -> anyhow::Result<Self> {
        let (receiver, down) = (Receiver::start().await?, Receiver::down()?);
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
            making.spawn(make(direct.clone(), tenants[part.tenant].clone(), part, hook));
        }
        while let Some(made) = making.join_next().await {
            members.push(made??);
        }
        Ok(Self {
            tenants,
            members,
            _receiver: receiver,
            down,
        })
    }

    /// Endpoints that an event is for.
    pub(crate) fn wanting(&self, tenant: usize, event_type: usize) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .filter(move |member| member.part.tenant == tenant && member.part.event_type == event_type)
    }
}

async fn make(direct: Direct, tenant: String, part: Part, hook: Hook) -> anyhow::Result<Member> {
    let placement = if part.dedicated { "dedicated" } else { "shared" };
    let made = direct
        .endpoint(&tenant, hook.url(), &[TYPES[part.event_type]], |endpoint| {
            endpoint.placement = placement.to_owned();
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
        Manner::Quick | Manner::Down => Behaviour::always(Answer::ok()),
        Manner::Rejecting => Behaviour::always(Answer::status(404)),
        Manner::Flaky => Behaviour::by(move |seen, before| match roll(seed, seen, before) % 10 {
            0..3 => Answer::status(503),
            _ => Answer::ok(),
        }),
        Manner::Slow => {
            Behaviour::by(move |seen, before| Answer::slow(Duration::from_millis(50 + roll(seed, seen, before) % 250)))
        }
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
    fn fifty_endpoints_have_every_manner_in_both_placements() {
        let parts: Vec<_> = (0..50).map(Part::of).collect();
        let dedicated = parts.iter().filter(|part| part.dedicated).count();
        assert!((22..=28).contains(&dedicated), "{dedicated}");
        let all = MANNERS.into_iter().chain([Manner::Rejecting]);
        for (manner, dedicated) in all.flat_map(|manner| [(manner, true), (manner, false)]) {
            let has = |part: &&Part| (part.manner, part.dedicated) == (manner, dedicated);
            assert!(
                parts.iter().any(|part| has(&part)),
                "{manner:?}, dedicated: {dedicated}"
            );
        }
    }
}
