//! The ledger as of one offset: an immutable snapshot of persistent maps, so that neither a reader's copy nor a change
//! copies the world.

use crate::{Change, Entity, Kind, Versioned, entities::is_deleted};
use apache_avro::Schema;
use imbl::{OrdMap, OrdSet};
use schemas::{
    ApiKey, Endpoint, EventType, Installation, Job, Tenant,
    codec::{self, Fingerprint, OwnSchemas, WriterSchemas},
};
use std::{ops::Bound, sync::Arc};

type Map<T> = OrdMap<Arc<str>, Versioned<T>>;
type Index = OrdMap<Arc<str>, OrdSet<Arc<str>>>;

/// A snapshot. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct View {
    position: i64,
    tenants: Map<Tenant>,
    keys: Map<ApiKey>,
    endpoints: Map<Endpoint>,
    event_types: Map<EventType>,
    jobs: Map<Job>,
    installation: Option<Versioned<Installation>>,
    schemas: OrdMap<Fingerprint, (i64, Arc<Schema>)>,
    endpoints_by_tenant: Index,
    /// Without the markers of deleted ones, which only grow in number.
    live_endpoints_by_tenant: Index,
    keys_by_tenant: Index,
    keys_by_hash: OrdMap<Arc<str>, Arc<str>>,
    /// Endpoints, not deleted, that have a topic of their own.
    dedicated: usize,
}

impl View {
    /// The ledger offset reached: everything below it is included. It only grows ("ledger version").
    pub fn position(&self) -> i64 {
        self.position
    }

    pub fn tenant(&self, id: &str) -> Option<&Versioned<Tenant>> {
        self.tenants.get(id)
    }

    /// By id.
    pub fn tenants(&self) -> impl Iterator<Item = &Versioned<Tenant>> {
        self.tenants.values()
    }

    /// Also a deleted one's marker, whose status is `deleted`.
    pub fn endpoint(&self, id: &str) -> Option<&Versioned<Endpoint>> {
        self.endpoints.get(id)
    }

    /// By id, so oldest first (ULIDs); markers of deleted ones included.
    pub fn endpoints(&self) -> impl Iterator<Item = &Versioned<Endpoint>> {
        self.endpoints.values()
    }

    /// As [`View::endpoints`], of one tenant.
    pub fn endpoints_of(&self, tenant: &str) -> impl Iterator<Item = &Versioned<Endpoint>> {
        let ids = self.endpoints_by_tenant.get(tenant);
        ids.into_iter().flatten().filter_map(|id| self.endpoints.get(id))
    }

    /// A tenant's endpoints, newest first, without deleted ones; with `before`, those that are older than the
    /// endpoint of this id, whether it exists or not.
    pub fn newest_endpoints_of(
        &self,
        tenant: &str,
        before: Option<&str>,
    ) -> impl Iterator<Item = &Versioned<Endpoint>> {
        let ids = self.live_endpoints_by_tenant.get(tenant);
        let range = (Bound::Unbounded, before.map_or(Bound::Unbounded, Bound::Excluded));
        ids.into_iter()
            .flat_map(move |ids| ids.range::<_, str>(range).rev())
            .filter_map(|id| self.endpoints.get(id))
    }

    /// How many endpoints a tenant has, deleted ones not counted.
    pub fn live_endpoints_of(&self, tenant: &str) -> usize {
        self.live_endpoints_by_tenant.get(tenant).map_or(0, OrdSet::len)
    }

    /// Endpoints, not deleted, that have a topic of their own.
    pub fn dedicated_endpoints(&self) -> usize {
        self.dedicated
    }

    pub fn key(&self, id: &str) -> Option<&Versioned<ApiKey>> {
        self.keys.get(id)
    }

    pub fn keys_of(&self, tenant: &str) -> impl Iterator<Item = &Versioned<ApiKey>> {
        let ids = self.keys_by_tenant.get(tenant);
        ids.into_iter().flatten().filter_map(|id| self.keys.get(id))
    }

    /// `hash`: SHA-256 of the key, lowercase hex ([`crate::entities::hash_key`]). Also an expired one.
    pub fn key_by_hash(&self, hash: &str) -> Option<&Versioned<ApiKey>> {
        self.keys.get(self.keys_by_hash.get(hash)?)
    }

    pub fn event_type(&self, name: &str) -> Option<&Versioned<EventType>> {
        self.event_types.get(name)
    }

    /// By name.
    pub fn event_types(&self) -> impl Iterator<Item = &Versioned<EventType>> {
        self.event_types.values()
    }

    pub fn job(&self, id: &str) -> Option<&Versioned<Job>> {
        self.jobs.get(id)
    }

    pub fn jobs(&self) -> impl Iterator<Item = &Versioned<Job>> {
        self.jobs.values()
    }

    /// None until the first clerk has written it.
    pub fn installation(&self) -> Option<&Versioned<Installation>> {
        self.installation.as_ref()
    }

    /// Whether the ledger holds the record schema with this fingerprint.
    pub fn has_schema(&self, fingerprint: Fingerprint) -> bool {
        self.schemas.contains_key(&fingerprint)
    }

    /// An entity's version; 0: it doesn't exist.
    pub fn version(&self, kind: Kind, id: &str) -> i64 {
        let version = match kind {
            Kind::Tenant => self.tenants.get(id).map(|e| e.version),
            Kind::Key => self.keys.get(id).map(|e| e.version),
            Kind::Endpoint => self.endpoints.get(id).map(|e| e.version),
            Kind::EventType => self.event_types.get(id).map(|e| e.version),
            Kind::Job => self.jobs.get(id).map(|e| e.version),
            Kind::Schema => parse_fingerprint(id)
                .and_then(|f| self.schemas.get(&f))
                .map(|(version, _)| *version),
            Kind::Installation => self.installation.as_ref().map(|e| e.version),
        };
        version.unwrap_or(0)
    }

    /// Everything below `position` is included.
    pub(crate) fn advance(&mut self, position: i64) {
        self.position = self.position.max(position);
    }

    /// Includes a change. Fails, and changes nothing, when it can't be part of a sound ledger.
    pub(crate) fn apply(&mut self, change: &Change) -> Result<(), String> {
        let id = &change.id;
        match &change.entity {
            None => self.remove(change.kind, id),
            Some(entity) if entity.kind() != change.kind || entity.id() != id.as_ref() => {
                return Err(format!(
                    "{} holds {}",
                    change.kind.key(id),
                    entity.kind().key(entity.id())
                ));
            }
            Some(Entity::Schema(e)) => {
                let (fingerprint, schema) = codec::parse_schema(&e.schema).map_err(|e| e.to_string())?;
                if parse_fingerprint(id) != Some(fingerprint) {
                    return Err(format!("schema {id} has the fingerprint {fingerprint:016x}"));
                }
                self.schemas.insert(fingerprint, (change.version, Arc::new(schema)));
            }
            Some(Entity::Tenant(e)) => drop(self.tenants.insert(id.clone(), versioned(change, e))),
            Some(Entity::EventType(e)) => drop(self.event_types.insert(id.clone(), versioned(change, e))),
            Some(Entity::Job(e)) => drop(self.jobs.insert(id.clone(), versioned(change, e))),
            Some(Entity::Installation(e)) => self.installation = Some(versioned(change, e)),
            Some(Entity::Key(e)) => {
                self.remove(Kind::Key, id);
                index(&mut self.keys_by_tenant, &e.tenant, id);
                self.keys_by_hash.insert(e.hash.as_str().into(), id.clone());
                self.keys.insert(id.clone(), versioned(change, e));
            }
            Some(Entity::Endpoint(e)) => {
                self.remove(Kind::Endpoint, id);
                index(&mut self.endpoints_by_tenant, &e.tenant, id);
                if !is_deleted(e) {
                    index(&mut self.live_endpoints_by_tenant, &e.tenant, id);
                }
                self.dedicated += usize::from(counts_as_dedicated(e));
                self.endpoints.insert(id.clone(), versioned(change, e));
            }
        }
        self.advance(change.offset + 1);
        Ok(())
    }

    fn remove(&mut self, kind: Kind, id: &Arc<str>) {
        match kind {
            Kind::Tenant => drop(self.tenants.remove(id)),
            Kind::EventType => drop(self.event_types.remove(id)),
            Kind::Job => drop(self.jobs.remove(id)),
            Kind::Installation => self.installation = None,
            Kind::Schema => {
                if let Some(fingerprint) = parse_fingerprint(id) {
                    self.schemas.remove(&fingerprint);
                }
            }
            Kind::Key => {
                if let Some(old) = self.keys.remove(id) {
                    self.keys_by_hash.remove(old.hash.as_str());
                    unindex(&mut self.keys_by_tenant, &old.tenant, id);
                }
            }
            Kind::Endpoint => {
                if let Some(old) = self.endpoints.remove(id) {
                    self.dedicated -= usize::from(counts_as_dedicated(&old));
                    unindex(&mut self.endpoints_by_tenant, &old.tenant, id);
                    unindex(&mut self.live_endpoints_by_tenant, &old.tenant, id);
                }
            }
        }
    }
}

impl WriterSchemas for View {
    fn writer_schema(&self, fingerprint: Fingerprint) -> Option<Arc<Schema>> {
        let known = self.schemas.get(&fingerprint).map(|(_, schema)| schema.clone());
        known.or_else(|| OwnSchemas.writer_schema(fingerprint))
    }
}

fn versioned<T>(change: &Change, entity: &Arc<T>) -> Versioned<T> {
    Versioned {
        version: change.version,
        offset: change.offset,
        entity: entity.clone(),
    }
}

fn counts_as_dedicated(endpoint: &Endpoint) -> bool {
    endpoint.dedicated_topic.is_some() && !is_deleted(endpoint)
}

fn index(index: &mut Index, tenant: &str, id: &Arc<str>) {
    if let Some(ids) = index.get_mut(tenant) {
        ids.insert(id.clone());
    } else {
        index.insert(tenant.into(), OrdSet::unit(id.clone()));
    }
}

fn unindex(index: &mut Index, tenant: &str, id: &Arc<str>) {
    let Some(ids) = index.get_mut(tenant) else { return };
    ids.remove(id);
    if ids.is_empty() {
        index.remove(tenant);
    }
}

/// Fingerprint of a schema entity's id: 16 lowercase hex digits.
pub(crate) fn parse_fingerprint(id: &str) -> Option<Fingerprint> {
    let fingerprint = u64::from_str_radix(id, 16).ok()?;
    (format!("{fingerprint:016x}") == id).then_some(fingerprint)
}
