//! Who takes part: two tenants, their endpoints with the receivers behind them, and who expects what. The matching here
//! is the run's own, by equality of names, and nothing of the product's.

use std::net::Ipv4Addr;

use harness::{Direct, Hook, MadeEndpoint, Mute, Receiver, Trap};

use crate::manner::{DEADLY, Fate, MANNERS, Manner, SPECIAL};

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
/// From this many endpoints on there is one of each special manner too, and a witness of each tenant.
const LEAST_FOR_SPECIALS: usize = 50;
/// The type of which the witnesses hear.
const TOLD: &str = "webhook.endpoint.auto_disabled";

/// Whether a run with this many endpoints has those of special manners.
pub(crate) fn has_specials(endpoints: usize) -> bool {
    endpoints >= LEAST_FOR_SPECIALS
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

    /// Another tenant and placement with other seeds.
    fn special(number: usize, seed: u64) -> Self {
        Self {
            tenant: (number + (seed / 2) as usize) % TENANTS,
            event_type: number % TYPES.len(),
            manner: SPECIAL[number % SPECIAL.len()],
            dedicated: (number / 2 + seed as usize).is_multiple_of(2),
        }
    }
}

pub(crate) struct Member {
    pub(crate) part: Part,
    pub(crate) id: String,
    /// `whsec_…`, as it began.
    pub(crate) secret: String,
    pub(crate) hook: Hook,
}

pub(crate) struct Cast {
    /// Ids, by number.
    pub(crate) tenants: Vec<String>,
    pub(crate) members: Vec<Member>,
    /// One a tenant, or none: they hear whose endpoints are disabled.
    pub(crate) witnesses: Vec<Witness>,
    _receiver: Receiver,
    pub(crate) down: Receiver,
    /// Where no request may go.
    pub(crate) trap: Trap,
    _mute: Mute,
}

pub(crate) struct Witness {
    pub(crate) id: String,
    pub(crate) tenant: String,
    pub(crate) hook: Hook,
}

impl Cast {
    /// Makes tenants and endpoints, eight at a time.
    pub(crate) async fn assemble(direct: &Direct, endpoints: usize, seed: u64) -> anyhow::Result<Self> {
        let (receiver, down, trap) = (Receiver::start().await?, Receiver::down()?, Trap::set(FORBIDDEN).await?);
        let mute = Mute::start().await?;
        let mut tenants = Vec::new();
        for number in 0..TENANTS {
            tenants.push(
                direct
                    .tenant(&format!("Tenant {number}"), &["platform"], |_| ())
                    .await?,
            );
        }
        let mut parts: Vec<_> = (0..endpoints).map(Part::of).collect();
        let mut witnesses = Vec::new();
        if has_specials(endpoints) {
            parts.extend((0..SPECIAL.len()).map(|number| Part::special(number, seed)));
            for tenant in &tenants {
                witnesses.push(witness(direct, tenant, &receiver).await?);
            }
        }
        let mut members = Vec::new();
        let mut making = tokio::task::JoinSet::new();
        for (number, part) in parts.into_iter().enumerate() {
            if making.len() >= 8
                && let Some(made) = making.join_next().await
            {
                members.push(made??);
            }
            let server = if part.manner == Manner::Down { &down } else { &receiver };
            let hook = server.hook(&format!("endpoint-{number}"));
            hook.behave(part.manner.behaviour(hook.url(), seed));
            let url = match part.manner {
                Manner::Forbidden => trap.url(),
                Manner::Mute => mute.url(),
                Manner::Unresolvable => "http://nobody.invalid/hook".to_owned(),
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
            witnesses,
            _receiver: receiver,
            down,
            trap,
            _mute: mute,
        })
    }

    /// Those of one manner.
    pub(crate) fn of_manner(&self, manner: Manner) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |member| member.part.manner == manner)
    }

    /// Those of one fate.
    pub(crate) fn of_fate(&self, is_meant: impl Fn(Fate) -> bool) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .filter(move |member| is_meant(member.part.manner.fate()))
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
    match &made.public_key {
        Some(key) if part.manner == Manner::SignedByKey => {
            hook.expect_signatures("webhook-", std::slice::from_ref(key))?
        }
        _ => expect(&hook, &made)?,
    }
    if matches!(part.manner, Manner::CloudEvents | Manner::Raw) {
        hook.keep_contents();
    }
    Ok(Member {
        part,
        id: made.id,
        secret: made.secret,
        hook,
    })
}

async fn witness(direct: &Direct, tenant: &str, receiver: &Receiver) -> anyhow::Result<Witness> {
    let hook = receiver.hook(&format!("witness-{tenant}"));
    let made = direct.endpoint(tenant, hook.url(), &[TOLD], |_| ()).await?;
    expect(&hook, &made)?;
    Ok(Witness {
        id: made.id,
        tenant: tenant.to_owned(),
        hook,
    })
}

fn expect(hook: &Hook, made: &MadeEndpoint) -> anyhow::Result<()> {
    let signers: Vec<_> = [made.secret.clone()]
        .into_iter()
        .chain(made.public_key.clone())
        .collect();
    hook.expect_signatures("webhook-", &signers)
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
