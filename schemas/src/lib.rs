//! Wire shapes: the Avro schema and the Rust type of every record in Hookline's own topics, and their codec.
//!
//! Deliberately not here: what the records mean (the crates that write and read them) and how bytes get to Kafka.

pub mod records;

pub use records::{
    attempt::{AttemptLogged, AttemptResult},
    dead_letter::DeadLetter,
    delivery::{AttemptSummary, Delivery, Source},
    entity::{ApiKey, Endpoint, EventType, Installation, Job, Limit, Quotas, ResourceScopes, SchemaEntry, Tenant},
    ledger::{LedgerEntry, LedgerOutcome, LedgerRequest},
    log::{LogRecord, Matched, MatchedEndpoint, Replayed, Settled},
    rejected::Rejected,
};
