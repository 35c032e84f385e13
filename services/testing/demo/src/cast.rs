//! Who plays: four tenants, and endpoints of every temper. What they must receive is worked out in `matcher`.

use std::time::Duration;

use harness::{Answer, Behaviour};
use serde_json::{Value, json};

/// A tenant.
pub struct Tenant {
    pub id: &'static str,
    pub name: &'static str,
    pub catalogs: &'static [&'static str],
    /// `webhook-` unless it has its own.
    pub header_prefix: Option<&'static str>,
}

pub const LEXORA: &str = "org_lexora";
pub const CASELINE: &str = "org_caseline";
pub const COURTSIDE: &str = "org_courtside";
pub const HARBORVIEW: &str = "org_harborview";

pub const TENANTS: [Tenant; 4] = [
    Tenant {
        id: LEXORA,
        name: "Lexora",
        catalogs: &["platform"],
        header_prefix: None,
    },
    Tenant {
        id: CASELINE,
        name: "Caseline",
        catalogs: &["case_events"],
        header_prefix: Some("case-webhook-"),
    },
    Tenant {
        id: COURTSIDE,
        name: "Courtside",
        catalogs: &["cases", "platform"],
        header_prefix: None,
    },
    Tenant {
        id: HARBORVIEW,
        name: "Harborview",
        catalogs: &["platform"],
        header_prefix: None,
    },
];

/// Which of the two HTTP APIs an endpoint is made with, and changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeBy {
    /// `/webhooks/v1/endpoints`
    Native,
    /// `/v2.3/webhooks/endpoints`, whose endpoints retry everything and have `auto` placement.
    TenantApi,
}

/// An endpoint as it is to be made.
#[derive(Clone, Copy)]
pub struct Endpoint {
    pub name: &'static str,
    pub tenant: &'static str,
    /// What it shows, for the table.
    pub shows: &'static str,
    pub filters: &'static [&'static str],
    /// Of a key of its own, which makes it. None: the tenant's key, with every scope.
    pub scopes: Option<&'static [&'static str]>,
    /// Empty: no resource scope.
    pub vaults: &'static [&'static str],
    pub made_by: MadeBy,
    /// `auto`, `dedicated` or `shared`.
    pub placement: &'static str,
    /// Further fields of the request that makes it, as that API spells them.
    pub settings: fn() -> Value,
    /// What is then changed by PATCH; null: nothing.
    pub changes: fn() -> Value,
    pub behaviour: fn() -> Behaviour,
    /// Nobody listens at its address, until it is given another one.
    pub down: bool,
    /// Its secret is rotated before the first event.
    pub rotated: bool,
    /// Its address is one that the processes' egress policy forbids.
    pub forbidden: bool,
    /// Why Hookline itself is to disable it.
    pub disabled_as: Option<&'static str>,
}

impl Endpoint {
    /// Here `auto` means that too: there are few endpoints.
    pub fn has_own_topic(&self) -> bool {
        self.placement != "shared"
    }
}

const PLAIN: Endpoint = Endpoint {
    name: "",
    tenant: LEXORA,
    shows: "",
    filters: &["*"],
    scopes: None,
    vaults: &[],
    made_by: MadeBy::Native,
    placement: "shared",
    settings: || json!({}),
    changes: || Value::Null,
    behaviour: || Behaviour::always(Answer::ok()),
    down: false,
    rotated: false,
    forbidden: false,
    disabled_as: None,
};

const OF_TENANT_API: Endpoint = Endpoint {
    made_by: MadeBy::TenantApi,
    placement: "auto",
    ..PLAIN
};
const EXACT: &[&str] = &["cases.tasks.created", "vault.upload.completed"];

/// Everyone who listens.
pub const ENDPOINTS: [Endpoint; 21] = [
    Endpoint {
        name: "fast",
        shows: "answers at once",
        placement: "dedicated",
        ..PLAIN
    },
    Endpoint {
        name: "slow",
        shows: "takes 300 ms, 4 at a time",
        filters: &["voice.*"],
        settings: || json!({ "maxInFlight": 4 }),
        behaviour: || Behaviour::always(Answer::slow(Duration::from_millis(300))),
        ..PLAIN
    },
    Endpoint {
        name: "limited",
        shows: "wants at most 10 a second",
        filters: &["vault.ingest.*", "ocr.*"],
        placement: "dedicated",
        changes: || json!({ "rateLimit": { "perSecond": 10, "burst": 1 } }),
        ..PLAIN
    },
    Endpoint {
        name: "flaky",
        shows: "503 twice, then 200",
        filters: &["agent.run.*"],
        behaviour: || Behaviour::flaky(2, 503),
        ..PLAIN
    },
    Endpoint {
        name: "rejecting",
        shows: "404: never asked again",
        filters: &["billing.*", "balance.changed"],
        placement: "dedicated",
        behaviour: || Behaviour::always(Answer::status(404)),
        ..PLAIN
    },
    Endpoint {
        name: "down",
        shows: "unreachable until it moves",
        filters: &["matter.*", "work_item.*"],
        settings: || json!({ "retrySchedule": [1, 1] }),
        down: true,
        ..PLAIN
    },
    Endpoint {
        name: "one-vault",
        shows: "* of vault_north alone",
        vaults: &["vault_north"],
        ..PLAIN
    },
    Endpoint {
        name: "narrow-key",
        shows: "* of a key for compute",
        scopes: Some(&["compute", "webhooks"]),
        placement: "dedicated",
        ..PLAIN
    },
    Endpoint {
        name: "hanging",
        shows: "first answer never comes",
        filters: &["deployment.*"],
        settings: || json!({ "timeoutSec": 1 }),
        behaviour: || Behaviour::first(vec![Answer::hang()]),
        ..PLAIN
    },
    Endpoint {
        name: "busy",
        shows: "429 with Retry-After: 3",
        filters: &["compute.*"],
        placement: "dedicated",
        behaviour: || Behaviour::first(vec![Answer::retry_after(3)]),
        ..PLAIN
    },
    Endpoint {
        name: "cases",
        tenant: CASELINE,
        shows: "case-webhook- headers",
        placement: "dedicated",
        settings: || json!({ "envelope": "event_payload" }),
        ..PLAIN
    },
    Endpoint {
        name: "new-cases",
        tenant: CASELINE,
        shows: "case.created alone",
        filters: &["case.created"],
        ..PLAIN
    },
    Endpoint {
        name: "retry-all",
        tenant: COURTSIDE,
        shows: "404 once: retried there",
        filters: &["cases.*"],
        behaviour: || Behaviour::flaky(1, 404),
        ..OF_TENANT_API
    },
    Endpoint {
        name: "rotated",
        tenant: COURTSIDE,
        shows: "two signatures a request",
        filters: &["assignments.*"],
        rotated: true,
        ..OF_TENANT_API
    },
    Endpoint {
        name: "exact",
        tenant: COURTSIDE,
        shows: "two exact types",
        filters: EXACT,
        settings: || json!({ "events": ["cases.tasks.*"] }),
        changes: || json!({ "events": EXACT }),
        ..OF_TENANT_API
    },
    Endpoint {
        name: "gone",
        tenant: HARBORVIEW,
        shows: "410: disabled at once",
        filters: &["agent.*"],
        placement: "dedicated",
        behaviour: || Behaviour::always(Answer::status(410)),
        disabled_as: Some("gone"),
        ..PLAIN
    },
    Endpoint {
        name: "failing",
        tenant: HARBORVIEW,
        shows: "500 until it is disabled",
        filters: &["vault.*"],
        settings: || json!({ "retrySchedule": [3, 5, 8, 8, 8] }),
        behaviour: || Behaviour::always(Answer::status(500)),
        disabled_as: Some("failing"),
        ..PLAIN
    },
    Endpoint {
        name: TOLD,
        tenant: HARBORVIEW,
        shows: "is told of those two",
        filters: &["webhook.endpoint.auto_disabled"],
        ..PLAIN
    },
    Endpoint {
        name: "blocked",
        tenant: HARBORVIEW,
        shows: "at a forbidden address",
        filters: &["voice.*"],
        settings: || json!({ "retrySchedule": [1, 1] }),
        forbidden: true,
        ..PLAIN
    },
    Endpoint {
        name: "public-key",
        tenant: HARBORVIEW,
        shows: "ed25519 signatures (v1a)",
        filters: &["ocr.*", "deployment.*"],
        settings: || json!({ "signatureScheme": "v1a" }),
        ..PLAIN
    },
    Endpoint {
        name: CLOUD_EVENTS,
        tenant: HARBORVIEW,
        shows: "bodies are CloudEvents",
        filters: &["compute.*", "billing.*"],
        placement: "dedicated",
        settings: || json!({ "envelope": "cloudevents" }),
        ..PLAIN
    },
];

/// Receives the events that Hookline itself publishes about Harborview's endpoints.
pub const TOLD: &str = "told";
/// Its bodies are CloudEvents.
pub const CLOUD_EVENTS: &str = "cloud";

/// Delays before each retry, in seconds, for those that say nothing: the product's default would take two days.
pub const RETRY_SCHEDULE: &str = "1,2,2,4";
/// An endpoint without a success for this long is disabled: `failing` alone, the others fail for less.
pub const DISABLED_AFTER_SEC: &str = "20";
pub const DISABLED_AFTER_FAILURES: &str = "10";
/// Receivers are here; `blocked` isn't.
pub const ALLOWED_NETWORK: &str = "127.0.0.1/32";
/// What was allowed when `blocked` was made.
pub const FORMERLY_ALLOWED_NETWORK: &str = "127.0.0.0/8";

/// The tenant of this id.
pub fn tenant(id: &str) -> &'static Tenant {
    TENANTS
        .iter()
        .find(|tenant| tenant.id == id)
        .expect("endpoints belong to tenants that there are")
}
