//! Decides one wanted change against the ledger as it is: pure, so that a batch can be decided again.

use super::{notice::Notice, recall};
use crate::{
    Change, Entity, Kind, View,
    entities::{deleted_marker, is_deleted},
    rules::{self, Refusal, check_shape, require},
};
use schemas::{
    ApiKey, Endpoint, LedgerRequest,
    codec::{self, DecodeError},
};
use std::{collections::HashMap, sync::Arc};

/// What decisions rest on besides the ledger.
#[derive(Debug)]
pub(super) struct Circumstances {
    pub dedicated_limit: usize,
    pub now_ms: i64,
    /// The clerk's own first entries: it alone may write the installation.
    pub founding: bool,
    /// Dedicated topics of the batch's new endpoints, as far as they were tried.
    pub topics: HashMap<Arc<str>, Topic>,
}

/// The dedicated topic of a new endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Topic {
    /// It was made for this batch.
    Made(i64),
    /// Lower numbers are taken: a name is never used twice.
    Next(i64),
    /// The brokers refuse it, and why.
    Refused(String),
}

/// An accepted change, already part of the view it was decided against (its offset is not known yet).
#[derive(Debug)]
pub(super) struct Accepted {
    pub kind: Kind,
    pub id: Arc<str>,
    /// 0: removed.
    pub version: i64,
    /// The bytes to write; None: a tombstone.
    pub entity: Option<Vec<u8>>,
    /// The number of a dedicated topic that must exist before this is written.
    pub new_topic: Option<i64>,
    /// An event that is published with it.
    pub notice: Option<Notice>,
}

/// Accepts a request and includes it in `view`, or refuses it and changes nothing.
pub(super) fn decide(view: &mut View, request: &LedgerRequest, about: &Circumstances) -> Result<Accepted, Refusal> {
    if let Some(noted) = recall::noted(request) {
        return Err(noted);
    }
    let kind = Kind::parse(&request.kind).map_err(|e| Refusal::invalid(e.to_string()))?;
    rules::check_id(&request.id)?;
    let has = view.version(kind, &request.id);
    check_version(kind, request, has)?;
    let id: Arc<str> = request.id.as_str().into();
    let mut accepted = Accepted {
        kind,
        id: id.clone(),
        version: 0,
        entity: None,
        new_topic: None,
        notice: None,
    };
    let mut change = Change {
        kind,
        id,
        version: 0,
        offset: 0,
        entity: None,
    };
    match &request.entity {
        None => check_removal(view, kind, &request.id, has)?,
        Some(bytes) => {
            let (entity, rewritten) = admit(view, kind, request, bytes, about)?;
            if rewritten {
                accepted.entity = Some(entity.encode().map_err(|e| Refusal::invalid(e.to_string()))?);
            } else {
                accepted.entity = Some(bytes.clone());
            }
            if let Entity::Endpoint(e) = &entity
                && has == 0
            {
                accepted.new_topic = e.dedicated_topic;
            }
            accepted.version = has + 1;
            if let Entity::Endpoint(endpoint) = &entity {
                accepted.notice = Notice::of(view, endpoint, accepted.version, about.now_ms);
            }
            change.version = has + 1;
            change.entity = Some(entity);
        }
    }
    view.apply(&change).map_err(Refusal::invalid)?;
    Ok(accepted)
}

fn check_version(kind: Kind, request: &LedgerRequest, has: i64) -> Result<(), Refusal> {
    let what = kind.key(&request.id);
    match request.expected_version {
        None => Ok(()),
        Some(expected) if expected == has => Ok(()),
        Some(0) => Err(Refusal {
            version: has,
            ..Refusal::new("exists", format!("{what} exists already"))
        }),
        Some(_) if has == 0 => Err(Refusal::new("not_found", format!("{what} does not exist"))),
        Some(expected) => Err(Refusal {
            version: has,
            ..Refusal::new("conflict", format!("{what} is at version {has}, not {expected}"))
        }),
    }
}

/// The entity as it is to be, and whether its bytes must be made anew.
fn admit(
    view: &View,
    kind: Kind,
    request: &LedgerRequest,
    bytes: &[u8],
    about: &Circumstances,
) -> Result<(Entity, bool), Refusal> {
    let fingerprint = codec::fingerprint_of(bytes).map_err(|e| Refusal::invalid(e.to_string()))?;
    // An old reader must be able to read it, so the ledger must hold its schema; a schema's own is compiled in.
    require(
        kind == Kind::Schema || about.founding || view.has_schema(fingerprint),
        || format!("record schema {fingerprint:016x} isn't in the ledger; its writer must register it first"),
    )?;
    let entity = Entity::decode(kind, bytes, view).map_err(|e: DecodeError| Refusal::invalid(e.to_string()))?;
    require(entity.id() == request.id, || {
        format!("{} holds {}", kind.key(&request.id), entity.id())
    })?;
    if !about.founding {
        check_shape(&entity)?;
    }
    match &entity {
        Entity::Key(key) => admit_key(view, key)?,
        Entity::Endpoint(endpoint) => return admit_endpoint(view, endpoint, about),
        Entity::Job(job) => {
            if let Some(tenant) = &job.tenant
                && view.job(&job.id).is_none()
            {
                check_tenant(view, tenant)?;
            }
        }
        Entity::Schema(_) | Entity::Tenant(_) | Entity::EventType(_) | Entity::Installation(_) => {}
    }
    Ok((entity, false))
}

fn check_tenant(view: &View, tenant: &str) -> Result<(), Refusal> {
    match view.tenant(tenant) {
        Some(_) => Ok(()),
        None => Err(Refusal::new("not_found", format!("tenant {tenant} does not exist"))),
    }
}

fn admit_key(view: &View, key: &ApiKey) -> Result<(), Refusal> {
    check_tenant(view, &key.tenant)?;
    if let Some(old) = view.key(&key.id) {
        require(old.tenant == key.tenant && old.hash == key.hash, || {
            "a key keeps its tenant and its hash; revoke it and make another".to_owned()
        })?;
    }
    match view.key_by_hash(&key.hash) {
        Some(other) if other.id != key.id => Err(Refusal::new("exists", "another key has this hash".to_owned())),
        _ => Ok(()),
    }
}

fn admit_endpoint(view: &View, wanted: &Endpoint, about: &Circumstances) -> Result<(Entity, bool), Refusal> {
    check_tenant(view, &wanted.tenant)?;
    let Some(old) = view.endpoint(&wanted.id) else {
        return admit_new_endpoint(view, wanted, about);
    };
    if is_deleted(old) {
        return Err(Refusal::new("not_found", format!("endpoint {} was deleted", wanted.id)));
    }
    require(old.tenant == wanted.tenant, || {
        "an endpoint stays with its tenant".to_owned()
    })?;
    if is_deleted(wanted) {
        return Ok((Entity::from(deleted_marker(old, about.now_ms)), true));
    }
    require(old.placement == wanted.placement, || {
        "changing an endpoint's placement isn't supported yet; a later version brings it".to_owned()
    })?;
    let mut endpoint = wanted.clone();
    endpoint.dedicated_topic = old.dedicated_topic;
    endpoint.created_at_ms = old.created_at_ms;
    if endpoint.status != "auto_disabled" {
        endpoint.consecutive_failures = None;
        endpoint.last_failure_at_ms = None;
    }
    let rewritten = endpoint != *wanted;
    Ok((Entity::from(endpoint), rewritten))
}

fn admit_new_endpoint(view: &View, wanted: &Endpoint, about: &Circumstances) -> Result<(Entity, bool), Refusal> {
    if is_deleted(wanted) {
        return Err(Refusal::new(
            "not_found",
            format!("endpoint {} does not exist", wanted.id),
        ));
    }
    let quota = view.tenant(&wanted.tenant).map_or(0, |t| t.quotas.endpoints);
    let live = view.live_endpoints_of(&wanted.tenant);
    if i64::try_from(live).unwrap_or(i64::MAX) >= quota {
        return Err(Refusal::new(
            "quota",
            format!("tenant {} has its {quota} endpoints already", wanted.tenant),
        ));
    }
    let number = match about.topics.get(wanted.id.as_str()) {
        None => 1,
        Some(Topic::Made(number) | Topic::Next(number)) => *number,
        Some(Topic::Refused(why)) => {
            return Err(Refusal::invalid(format!("the endpoint's topic can't be made: {why}")));
        }
    };
    let room = view.dedicated_endpoints() < about.dedicated_limit;
    let dedicated_topic = match wanted.placement.as_str() {
        "shared" => None,
        "dedicated" if !room => {
            return Err(Refusal::new(
                "quota",
                format!(
                    "{} endpoints have a topic of their own already; use placement auto or shared, or raise placement.dedicated_limit",
                    about.dedicated_limit
                ),
            ));
        }
        _ => room.then_some(number),
    };
    let rewritten = wanted.dedicated_topic != dedicated_topic;
    let mut endpoint = wanted.clone();
    endpoint.dedicated_topic = dedicated_topic;
    Ok((Entity::from(endpoint), rewritten))
}

fn check_removal(view: &View, kind: Kind, id: &str, has: i64) -> Result<(), Refusal> {
    if has == 0 {
        return Err(Refusal::new("not_found", format!("{} does not exist", kind.key(id))));
    }
    match kind {
        Kind::Key | Kind::EventType | Kind::Job => Ok(()),
        Kind::Endpoint => require(view.endpoint(id).is_some_and(|e| is_deleted(e)), || {
            "an endpoint is not removed but put with status deleted".to_owned()
        }),
        Kind::Tenant => require(
            view.endpoints_of(id).next().is_none() && view.keys_of(id).next().is_none(),
            || "the tenant still has endpoints or keys".to_owned(),
        ),
        Kind::Schema | Kind::Installation => Err(Refusal::invalid(format!("{kind} entries are never removed"))),
    }
}

#[cfg(test)]
mod tests;
