//! What makes an entity acceptable by itself, whatever else the ledger holds: formats, limits, and values that this
//! version supports. The writer checks before it asks, the clerk before it decides.
//!
//! Not here: what rests on other entities (`clerk::decide`), and what rests on catalogs and egress policy (whoever takes
//! the caller's input).

mod endpoint;

use crate::{Entity, WriteError, view::parse_fingerprint};
use schemas::{ApiKey, EventType, Job, Quotas, SchemaEntry, Tenant};

/// Why a change is refused, as an outcome says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `conflict`, `invalid`, `not_found`, `quota` or `exists`.
    pub code: &'static str,
    pub message: String,
    /// The version that the entity has, with `conflict`.
    pub version: i64,
    /// The field that is wrong, by the HTTP contract's name; empty: the whole.
    pub field: &'static str,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            version: 0,
            field: "",
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new("invalid", message)
    }
}

impl From<Refusal> for WriteError {
    fn from(refusal: Refusal) -> Self {
        WriteError::Refused {
            code: refusal.code.to_owned(),
            message: refusal.message,
        }
    }
}

/// What is wrong with an entity by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unfit {
    /// The field, by the HTTP contract's name; empty: the whole.
    pub field: &'static str,
    pub message: String,
}

/// Whether the clerk would take an entity, as far as it rests on nothing else: limits, formats, and what this version
/// supports. [`crate::Writer`] checks the same before it asks.
///
/// # Errors
/// [`Unfit`], with the first field that is wrong.
pub fn check(entity: &Entity) -> Result<(), Unfit> {
    check_shape(entity).map_err(|refusal| Unfit {
        field: refusal.field,
        message: refusal.message,
    })
}

pub(crate) type Checked = Result<(), Refusal>;

/// An `Err` with this message unless the condition holds.
pub(crate) fn require(condition: bool, message: impl FnOnce() -> String) -> Checked {
    if condition {
        Ok(())
    } else {
        Err(Refusal::invalid(message()))
    }
}

/// Says which field it is about.
pub(crate) fn about(field: &'static str, checked: Checked) -> Checked {
    checked.map_err(|refusal| Refusal { field, ..refusal })
}

pub(crate) fn one_of(field: &str, value: &str, allowed: &[&str]) -> Checked {
    require(allowed.contains(&value), || {
        format!("{field} {value:?} is unknown; use one of {}", allowed.join(", "))
    })
}

/// Whether an entity may be written at all.
pub(crate) fn check_shape(entity: &Entity) -> Checked {
    match entity {
        Entity::Tenant(tenant) => check_tenant(tenant),
        Entity::Key(key) => check_key(key),
        Entity::Endpoint(endpoint) => endpoint::check(endpoint),
        Entity::EventType(event_type) => check_event_type(event_type),
        Entity::Job(job) => check_job(job),
        Entity::Schema(schema) => check_schema(schema),
        Entity::Installation(_) => Err(Refusal::invalid("the installation is written by the clerk alone")),
    }
}

/// Ids stand in keys and topic names.
pub(crate) fn check_id(id: &str) -> Checked {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    require(!id.is_empty() && id.len() <= 128 && id.chars().all(allowed), || {
        format!("id {id:?} must be 1 to 128 letters, digits, '_', '-' or '.'")
    })
}

fn check_tenant(tenant: &Tenant) -> Checked {
    about("id", check_id(&tenant.id))?;
    let name = &tenant.name;
    let fits =
        (1..=256).contains(&name.chars().count()) && !name.trim().is_empty() && !name.chars().any(char::is_control);
    let named = require(fits, || {
        "a tenant's name must have 1 to 256 characters, and no control characters".to_owned()
    });
    about("name", named)?;
    about("catalogs", check_catalogs(tenant.catalogs.iter().map(String::as_str)))?;
    if let Some(prefix) = &tenant.header_prefix {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = require(
            (2..=40).contains(&prefix.len()) && prefix.ends_with('-') && prefix.chars().all(allowed),
            || {
                format!(
                    "header prefix {prefix:?} must be 2 to 40 lowercase letters, digits or '-', and end with '-', such as \
                     case-webhook-"
                )
            },
        );
        about("headerPrefix", fits)?;
    }
    check_quotas(&tenant.quotas)
}

fn check_quotas(quotas: &Quotas) -> Checked {
    let endpoints = require(quotas.endpoints >= 0, || "a quota must not be negative".to_owned());
    about("quotas.endpoints", endpoints)?;
    let later = |field, quota: Option<i64>| {
        let unset = require(quota.is_none(), || {
            "this quota isn't supported yet; a later version brings it".to_owned()
        });
        about(field, unset)
    };
    later("quotas.eventsPerSecond", quotas.events_per_second)?;
    later("quotas.backlogBytes", quotas.backlog_bytes)
}

fn check_catalogs<'a>(mut named: impl Iterator<Item = &'a str>) -> Checked {
    let known = schemas::catalogs::all().map(|(name, _)| name);
    named.try_for_each(|name| one_of("catalog", name, &known))
}

fn check_key(key: &ApiKey) -> Checked {
    check_id(&key.id)?;
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    require(key.hash.len() == 64 && key.hash.chars().all(hex), || {
        "a key's hash must be SHA-256 in lowercase hex".to_owned()
    })
}

fn check_event_type(event_type: &EventType) -> Checked {
    about("type", check_id(&event_type.name))?;
    about("catalog", check_catalogs(event_type.catalog.as_deref().into_iter()))?;
    about(
        "stability",
        one_of("stability", &event_type.stability, &["stable", "beta"]),
    )?;
    if let Some(resource) = &event_type.resource {
        about("resource", one_of("resource", resource, &["vault", "matter"]))?;
    }
    let schema = serde_json::from_str::<serde_json::Value>(&event_type.payload_schema);
    let is_schema = require(schema.is_ok_and(|s| s.is_object() || s.is_boolean()), || {
        "an event type's payload schema must be a JSON Schema".to_owned()
    });
    about("payloadSchema", is_schema)
}

fn check_job(job: &Job) -> Checked {
    check_id(&job.id)?;
    one_of("job status", &job.status, &["running", "done", "cancelled", "failed"])
}

fn check_schema(entry: &SchemaEntry) -> Checked {
    let parsed = schemas::codec::parse_schema(&entry.schema).map_err(|e| Refusal::invalid(e.to_string()))?;
    require(parse_fingerprint(&entry.fingerprint) == Some(parsed.0), || {
        format!("schema {} has the fingerprint {:016x}", entry.fingerprint, parsed.0)
    })
}
