//! What a source record comes to: an event with the endpoints that it is for, or a rejection with its reason.
//!
//! Total: every record gets a verdict, whatever its bytes. Deliberately not here: writing what follows.

use crate::{
    measure,
    place::{Place, Route},
    projection::Snapshot,
    rejection::Rejection,
};
use delivery_core::matching::{EventFacts, Resource};
use event_model::{Envelope, Event, SourceRecord, SourceSettings, TypeInfo, Violation, contract, ids};
use kafka_log::Record;
use std::sync::Arc;

/// Largest rendered body (DESIGN: "Topics").
const MAX_BODY_BYTES: usize = 512 << 10;
/// What an envelope adds to the data at most: an id, a type, a time, a tenant and a source, escaped, and the names of its
/// fields.
const MAX_ENVELOPE_BYTES: usize = 8 << 10;
/// Most violations named in a rejection.
const VIOLATIONS_SHOWN: usize = 5;

/// Settings of judging.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) clock_tolerance_ms: i64,
    pub(crate) lanes: i32,
}

/// What follows from a record.
pub(crate) enum Verdict {
    Matched(Box<Matched>),
    Rejected(Box<Rejection>),
}

/// An event and whom it is for.
pub(crate) struct Matched {
    pub(crate) event: Event,
    pub(crate) matched_at_ms: i64,
    pub(crate) ledger_version: i64,
    pub(crate) targets: Vec<Target>,
}

/// One endpoint that the event is for.
pub(crate) struct Target {
    pub(crate) endpoint_id: Arc<str>,
    pub(crate) delivery_id: String,
    pub(crate) envelope: Envelope,
    pub(crate) place: Place,
}

/// Judges a record by the configuration of `snapshot`.
pub(crate) fn judge(
    record: &Record,
    settings: &SourceSettings,
    snapshot: &Snapshot,
    rules: Rules,
    now_ms: i64,
) -> Verdict {
    match read(record, settings, now_ms).and_then(|event| accept(event, snapshot, rules, now_ms)) {
        Ok(matched) => Verdict::Matched(Box::new(matched)),
        Err(rejection) => Verdict::Rejected(Box::new(rejection.of(record, now_ms))),
    }
}

fn read(record: &Record, settings: &SourceSettings, now_ms: i64) -> Result<Event, Refusal> {
    let headers: Vec<_> = record
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.to_vec()))
        .collect();
    let source = SourceRecord {
        topic: &record.topic,
        partition: record.partition,
        offset: record.offset,
        // A record without a timestamp is taken as new, else it would be older than every endpoint.
        timestamp_ms: if record.timestamp_ms > 0 {
            record.timestamp_ms
        } else {
            now_ms
        },
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers: &headers,
    };
    event_model::parse(&source, settings).map_err(|error| Refusal {
        reason: error.reason,
        message: error.message,
        tenant: error.tenant,
        event_type: error.event_type,
    })
}

fn accept(event: Event, snapshot: &Snapshot, rules: Rules, now_ms: i64) -> Result<Matched, Refusal> {
    let refuse = |reason, message| {
        let (tenant, event_type) = (Some(event.tenant.clone()), Some(event.event_type.clone()));
        Err(Refusal {
            reason,
            message,
            tenant,
            event_type,
        })
    };
    let data_bytes = event.data.get().len();
    if data_bytes + MAX_ENVELOPE_BYTES > MAX_BODY_BYTES {
        return refuse(
            "too_large",
            format!("the data has {data_bytes} bytes; a rendered body has at most {MAX_BODY_BYTES}"),
        );
    }
    let Some(tenant) = snapshot.view.tenant(&event.tenant) else {
        return refuse("unknown_tenant", format!("tenant `{}` does not exist", event.tenant));
    };
    let Some(info) = snapshot.catalogs.find(&tenant.catalogs, &event.event_type) else {
        let message = format!(
            "type `{}` is in none of the tenant's catalogs ({})",
            event.event_type,
            tenant.catalogs.join(", ")
        );
        return refuse("unknown_type", message);
    };
    if let Err(violations) = contract::check(info, &event.data) {
        measure::contract_mismatch(&info.name, info.stability.as_str());
        if info.is_stable() {
            return refuse("contract_broken", shown(&violations));
        }
    }
    let targets = match_endpoints(&event, info, snapshot, rules);
    Ok(Matched {
        event,
        matched_at_ms: now_ms,
        ledger_version: snapshot.ledger_version,
        targets,
    })
}

/// The endpoint that this event says was disabled: it is told to the tenant's other endpoints.
fn disabled_endpoint(event: &Event) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Data {
        #[serde(rename = "endpointId")]
        endpoint_id: String,
    }
    if event.event_type != "webhook.endpoint.auto_disabled" {
        return None;
    }
    let data: Data = serde_json::from_str(event.data.get()).ok()?;
    Some(data.endpoint_id)
}

fn match_endpoints(event: &Event, info: &TypeInfo, snapshot: &Snapshot, rules: Rules) -> Vec<Target> {
    let id = info.resource_id(&event.data).map(|(_, id)| id);
    let facts = EventFacts {
        tenant: &event.tenant,
        event_type: &event.event_type,
        required_scope: info.required_scope.as_deref(),
        resource: match info.resource {
            None => Resource::None,
            Some(event_model::Resource::Vault) => Resource::Vault(id.as_deref()),
            Some(event_model::Resource::Matter) => Resource::Matter(id.as_deref()),
        },
        timestamp_ms: event.timestamp_ms,
    };
    let about = disabled_endpoint(event);
    let matching = snapshot.index.matches(&facts, rules.clock_tolerance_ms);
    matching
        .into_iter()
        .filter_map(|endpoint_id| {
            let endpoint = snapshot.view.endpoint(&endpoint_id)?;
            delivery_core::invariant!(6, endpoint.tenant == event.tenant, "endpoint {endpoint_id}");
            let route = Route::of(endpoint);
            // The view may be ahead of the index: what it says of a state is newer.
            let is_for_it = route.is_matched() && about.as_deref() != Some(&*endpoint_id);
            is_for_it.then(|| Target {
                delivery_id: ids::delivery_id(&event.id, &endpoint_id),
                envelope: route.envelope,
                place: route.place(&endpoint_id, rules.lanes),
                endpoint_id,
            })
        })
        .collect()
}

fn shown(violations: &[Violation]) -> String {
    let mut shown: Vec<String> = violations
        .iter()
        .take(VIOLATIONS_SHOWN)
        .map(Violation::to_string)
        .collect();
    if violations.len() > VIOLATIONS_SHOWN {
        shown.push(format!("and {} more", violations.len() - VIOLATIONS_SHOWN));
    }
    shown.join("; ")
}

/// Why a record is rejected.
struct Refusal {
    reason: &'static str,
    message: String,
    tenant: Option<String>,
    event_type: Option<String>,
}

impl Refusal {
    fn of(self, record: &Record, now_ms: i64) -> Rejection {
        Rejection::new(record, self.reason, self.message, self.tenant, self.event_type, now_ms)
    }
}
