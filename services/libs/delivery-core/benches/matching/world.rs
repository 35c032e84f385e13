//! Endpoints and events of a size and a shape. Deterministic: the same every time.

use delivery_core::{
    filter::Filter,
    matching::{EventFacts, Ids, Index, Resource, Subscription},
};

/// Events that a measurement goes through, in turn.
const EVENTS: usize = 65_536;

/// How endpoints are spread over tenants, and what they subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// 100 endpoints a tenant: six of ten by exact names, a quarter by prefixes, the rest by resources.
    Mixed,
    /// 4 endpoints a tenant, by exact names.
    SmallTenants,
    /// 1,000 endpoints a tenant (the default quota), by exact names.
    Exact,
    /// As before, by prefixes.
    Prefixes,
    /// As before; all have the same wildcard and each its own vault.
    Resources,
}

impl Shape {
    pub const ALL: [Self; 5] = [
        Self::Mixed,
        Self::SmallTenants,
        Self::Exact,
        Self::Prefixes,
        Self::Resources,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::SmallTenants => "small_tenants",
            Self::Exact => "exact",
            Self::Prefixes => "prefixes",
            Self::Resources => "resources",
        }
    }

    fn endpoints_a_tenant(self) -> usize {
        match self {
            Self::Mixed => 100,
            Self::SmallTenants => 4,
            Self::Exact | Self::Prefixes | Self::Resources => 1_000,
        }
    }

    /// What the endpoint of this number subscribes to.
    fn kind(self, endpoint: usize) -> Kind {
        match (self, endpoint % 20) {
            (Self::SmallTenants | Self::Exact, _) | (Self::Mixed, 0..12) => Kind::Exact,
            (Self::Prefixes, _) | (Self::Mixed, 12..17) => Kind::Prefix,
            (Self::Resources | Self::Mixed, _) => Kind::Resource,
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Exact,
    Prefix,
    Resource,
}

pub struct World {
    pub shape: Shape,
    pub endpoints: usize,
}

/// One event, for one endpoint.
pub struct Event {
    tenant: String,
    event_type: String,
    vault: Option<String>,
}

impl World {
    pub fn new(shape: Shape, endpoints: usize) -> Self {
        Self { shape, endpoints }
    }

    pub fn index(&self) -> Index {
        let mut index = Index::new();
        (0..self.endpoints).for_each(|number| index.insert(self.subscription(number)));
        index
    }

    /// The endpoint of this number, as fan-out makes it of the ledger's record.
    pub fn subscription(&self, number: usize) -> Subscription {
        let filter = match self.shape.kind(number) {
            Kind::Exact => format!("cases.tasks.{}.done", self.of_tenant(number)),
            Kind::Prefix => format!("assignments.contacts.{}.*", self.of_tenant(number)),
            Kind::Resource => "vault.*".to_owned(),
        };
        let vault = matches!(self.shape.kind(number), Kind::Resource).then(|| vault(number));
        Subscription {
            endpoint_id: format!("wh_01JD4Y7Q0W9Z3M5T8B{number:08}").into(),
            tenant: self.tenant(number).into(),
            filters: [Filter::parse(&filter).expect("well-formed")].into(),
            scopes: ["assignments", "cases", "legal", "vault", "webhooks"]
                .map(str::to_owned)
                .into(),
            vault_ids: vault.map(|id| Ids::from_iter([id])),
            matter_ids: None,
            created_at_ms: 1,
        }
    }

    pub fn events(&self) -> Vec<Event> {
        // A step that has no factor in common with the sizes goes through all endpoints in no order.
        (0..EVENTS)
            .map(|turn| self.event(turn * 7_919 % self.endpoints))
            .collect()
    }

    fn event(&self, number: usize) -> Event {
        let (event_type, vault) = match self.shape.kind(number) {
            Kind::Exact => (format!("cases.tasks.{}.done", self.of_tenant(number)), None),
            Kind::Prefix => (format!("assignments.contacts.{}.changed", self.of_tenant(number)), None),
            Kind::Resource => ("vault.ingest.completed".to_owned(), Some(vault(number))),
        };
        Event {
            tenant: self.tenant(number),
            event_type,
            vault,
        }
    }

    fn tenant(&self, number: usize) -> String {
        format!("org_01JD4Y7Q0W9Z3M5T8B{:08}", number / self.shape.endpoints_a_tenant())
    }

    /// Its number in its tenant.
    fn of_tenant(&self, number: usize) -> usize {
        number % self.shape.endpoints_a_tenant()
    }
}

impl Event {
    pub fn facts(&self) -> EventFacts<'_> {
        EventFacts {
            tenant: &self.tenant,
            event_type: &self.event_type,
            required_scope: Some("webhooks"),
            resource: match &self.vault {
                Some(id) => Resource::Vault(Some(id)),
                None => Resource::None,
            },
            timestamp_ms: 2,
        }
    }
}

fn vault(number: usize) -> String {
    format!("vault_{number:08}")
}
