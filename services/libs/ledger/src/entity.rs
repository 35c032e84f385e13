//! What the ledger is made of: kinds, entities with their bytes, and changes. Not here: what makes one valid.

use schemas::{
    ApiKey, Endpoint, EventType, Installation, Job, SchemaEntry, Tenant,
    codec::{self, DecodeError, EncodeError, WriterSchemas},
};
use std::{ops::Deref, sync::Arc};

/// What an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Tenant,
    Key,
    Endpoint,
    EventType,
    Job,
    Schema,
    Installation,
}

/// A kind that this build doesn't know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("kind {0:?} is unknown to this version")]
pub struct UnknownKind(pub String);

impl Kind {
    pub const ALL: [Kind; 7] = [
        Kind::Tenant,
        Kind::Key,
        Kind::Endpoint,
        Kind::EventType,
        Kind::Job,
        Kind::Schema,
        Kind::Installation,
    ];

    /// As it stands in a record's key, `<kind>/<id>`.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Tenant => "tenant",
            Kind::Key => "key",
            Kind::Endpoint => "endpoint",
            Kind::EventType => "event_type",
            Kind::Job => "job",
            Kind::Schema => "schema",
            Kind::Installation => "installation",
        }
    }

    pub fn parse(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|k| k.as_str() == text)
            .ok_or_else(|| UnknownKind(text.to_owned()))
    }

    /// The key of this kind's entity `id` in the ledger and its requests.
    pub fn key(self, id: &str) -> String {
        format!("{}/{id}", self.as_str())
    }

    /// Kind and id of a ledger record's key.
    pub fn parse_key(key: &[u8]) -> Result<(Self, &str), UnknownKind> {
        let unknown = || UnknownKind(String::from_utf8_lossy(key).into_owned());
        let (kind, id) = std::str::from_utf8(key)
            .ok()
            .and_then(|k| k.split_once('/'))
            .ok_or_else(unknown)?;
        Ok((Self::parse(kind)?, id))
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An entity, cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub enum Entity {
    Tenant(Arc<Tenant>),
    Key(Arc<ApiKey>),
    Endpoint(Arc<Endpoint>),
    EventType(Arc<EventType>),
    Job(Arc<Job>),
    Schema(Arc<SchemaEntry>),
    Installation(Arc<Installation>),
}

/// Id of the one installation entity.
pub(crate) const INSTALLATION_ID: &str = "installation";

impl Entity {
    pub fn kind(&self) -> Kind {
        match self {
            Entity::Tenant(_) => Kind::Tenant,
            Entity::Key(_) => Kind::Key,
            Entity::Endpoint(_) => Kind::Endpoint,
            Entity::EventType(_) => Kind::EventType,
            Entity::Job(_) => Kind::Job,
            Entity::Schema(_) => Kind::Schema,
            Entity::Installation(_) => Kind::Installation,
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Entity::Tenant(e) => &e.id,
            Entity::Key(e) => &e.id,
            Entity::Endpoint(e) => &e.id,
            Entity::EventType(e) => &e.name,
            Entity::Job(e) => &e.id,
            Entity::Schema(e) => &e.fingerprint,
            Entity::Installation(_) => INSTALLATION_ID,
        }
    }

    /// Single-object Avro of this build's schema.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        match self {
            Entity::Tenant(e) => codec::encode(e.as_ref()),
            Entity::Key(e) => codec::encode(e.as_ref()),
            Entity::Endpoint(e) => codec::encode(e.as_ref()),
            Entity::EventType(e) => codec::encode(e.as_ref()),
            Entity::Job(e) => codec::encode(e.as_ref()),
            Entity::Schema(e) => codec::encode(e.as_ref()),
            Entity::Installation(e) => codec::encode(e.as_ref()),
        }
    }

    pub fn decode(kind: Kind, bytes: &[u8], schemas: &dyn WriterSchemas) -> Result<Self, DecodeError> {
        Ok(match kind {
            Kind::Tenant => Entity::Tenant(Arc::new(codec::decode(bytes, schemas)?)),
            Kind::Key => Entity::Key(Arc::new(codec::decode(bytes, schemas)?)),
            Kind::Endpoint => Entity::Endpoint(Arc::new(codec::decode(bytes, schemas)?)),
            Kind::EventType => Entity::EventType(Arc::new(codec::decode(bytes, schemas)?)),
            Kind::Job => Entity::Job(Arc::new(codec::decode(bytes, schemas)?)),
            Kind::Schema => Entity::Schema(Arc::new(codec::decode(bytes, schemas)?)),
            Kind::Installation => Entity::Installation(Arc::new(codec::decode(bytes, schemas)?)),
        })
    }
}

macro_rules! from {
    ($($variant:ident: $type:ty),*) => {
        $(impl From<$type> for Entity {
            fn from(entity: $type) -> Self {
                Entity::$variant(Arc::new(entity))
            }
        })*
    };
}

from!(Tenant: Tenant, Key: ApiKey, Endpoint: Endpoint, EventType: EventType, Job: Job, Schema: SchemaEntry);

/// One change of the ledger, as followers are told it.
#[derive(Debug, Clone)]
pub struct Change {
    pub kind: Kind,
    pub id: Arc<str>,
    /// 1 for the first; 0 when removed.
    pub version: i64,
    pub offset: i64,
    /// None: removed.
    pub entity: Option<Entity>,
}

/// An entity with its version and the ledger offset it stands at.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned<T> {
    pub version: i64,
    pub offset: i64,
    pub entity: Arc<T>,
}

impl<T> Deref for Versioned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.entity
    }
}
