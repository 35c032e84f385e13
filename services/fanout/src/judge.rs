//! What a source record comes to: an event with the endpoints that it is for, or a rejection with its reason.
//!
//! Total: every record gets a verdict, whatever its bytes. Deliberately not here: writing what follows.

use crate::{
    measure,
    place::{Place, Route},
    projection::Snapshot,
    rejection::Rejection,
};
use event_model::{Envelope, Event, Refusal as NotAdmitted, SourceRecord, SourceSettings, TypeInfo, admit, ids};
use kafka_log::Record;
use std::sync::Arc;

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
        event_id: None,
        tenant: error.tenant,
        event_type: error.event_type,
    })
}

fn accept(event: Event, snapshot: &Snapshot, rules: Rules, now_ms: i64) -> Result<Matched, Refusal> {
    let refusal = |reason, message| {
        let (tenant, event_type) = (Some(event.tenant.clone()), Some(event.event_type.clone()));
        Refusal {
            reason,
            message,
            event_id: None,
            tenant,
            event_type,
        }
    };
    let Some(tenant) = snapshot.view.tenant(&event.tenant) else {
        let message = format!("tenant `{}` does not exist", event.tenant);
        return Err(refusal("unknown_tenant", message));
    };
    let info = match admit(&event, &tenant.catalogs, &snapshot.catalogs) {
        Ok(admitted) => {
            if !admitted.violations.is_empty() {
                mismatch(admitted.info);
            }
            admitted.info
        }
        Err(not_admitted) => {
            if let NotAdmitted::ContractBroken { info, .. } = &not_admitted {
                mismatch(info);
            }
            return Err(Refusal {
                event_id: Some(event.id.clone()),
                ..refusal(not_admitted.reason(), not_admitted.to_string())
            });
        }
    };
    let targets = match_endpoints(&event, info, snapshot, rules);
    Ok(Matched {
        event,
        matched_at_ms: now_ms,
        ledger_version: snapshot.ledger_version,
        targets,
    })
}

fn match_endpoints(event: &Event, info: &TypeInfo, snapshot: &Snapshot, rules: Rules) -> Vec<Target> {
    let id = info.resource_id(&event.data).map(|(_, id)| id);
    let facts = eligibility::facts(event, info, id.as_deref());
    let about = eligibility::disabled_endpoint(event);
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

fn mismatch(info: &TypeInfo) {
    measure::contract_mismatch(&info.name, info.stability.as_str());
}

/// Why a record is rejected.
struct Refusal {
    reason: &'static str,
    message: String,
    /// Where its tenant is known.
    event_id: Option<String>,
    tenant: Option<String>,
    event_type: Option<String>,
}

impl Refusal {
    fn of(self, record: &Record, now_ms: i64) -> Rejection {
        Rejection {
            event_id: self.event_id,
            ..Rejection::new(record, self.reason, self.message, self.tenant, self.event_type, now_ms)
        }
    }
}
