//! Wire shapes: the Avro schema and the Rust type of every record in Hookline's own topics, their codec, and the
//! catalogs of event types as data.
//!
//! Deliberately not here: what the records mean (the crates that write and read them), how bytes get to Kafka, and how a
//! catalog is searched (`event-model`).
//!
//! # Changing a record
//! Change the struct in `src/records/` and the schema in `avro/` together; a new field has a default. The tests compare
//! the schema with that of every released version in `released/` and decode every fixture there. For a release, write its
//! fixtures with `cargo test -p schemas --test wire -- --ignored write_fixtures` and add the version to
//! `src/released.rs`. Fixtures of a released version are never changed.

pub mod catalogs;
pub mod codec;
pub mod records;
mod registered;
mod released;
pub mod samples;

pub use codec::{
    DecodeError, EncodeError, Fingerprint, OwnSchemas, Record, WriterSchemas, decode, encode, own_schemas,
};
pub use records::{
    attempt::{AttemptLogged, AttemptResult},
    dead_letter::DeadLetter,
    delivery::{AttemptSummary, Delivery, Source},
    entity::{
        ApiKey, Endpoint, EventType, FormerSecret, Installation, Job, Limit, Quotas, ResourceScopes, SchemaEntry,
        Tenant,
    },
    event::AvroEvent,
    health::Health,
    ledger::{LedgerEntry, LedgerOutcome, LedgerRequest},
    log::{EventRejected, LogRecord, Matched, MatchedEndpoint, Replayed, Settled},
    rejected::Rejected,
};
