//! Avro single-object encoding of the records: `C3 01`, the writer schema's fingerprint (little-endian), the datum.
//!
//! A record of this build's own schema takes a fast path without intermediate values. Any other fingerprint is looked up
//! in [`WriterSchemas`] and read by Avro's schema resolution, so an old reader can read a new writer and the reverse.
//! Deliberately not here: where unknown writer schemas come from (the ledger's `schema/<fingerprint>` entries).

mod wire;

use apache_avro::Schema;
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

pub use wire::Wire;

/// CRC-64-AVRO (Rabin) of a schema's parsing canonical form.
pub type Fingerprint = u64;

/// A record that has an Avro schema. The type's serde name is the schema's record name.
pub trait Record: Serialize + DeserializeOwned + Send + 'static {
    /// The record's name in the namespace `hookline`.
    const NAME: &'static str;
    /// The schema that this build writes and reads with, JSON.
    fn avsc() -> &'static str;
    /// The parsed schema with what is derived from it, made once for each type.
    #[doc(hidden)]
    fn wire() -> &'static Wire;
    /// Fingerprint of the schema that this build writes.
    fn fingerprint() -> Fingerprint {
        Self::wire().fingerprint()
    }
}

/// Where the schemas of other writers are found. Lookups are remembered, so an answer must not change later.
pub trait WriterSchemas: Send + Sync {
    /// The schema with this fingerprint, when it is known.
    fn writer_schema(&self, fingerprint: Fingerprint) -> Option<Arc<Schema>>;
}

/// Knows what is compiled in: this build's schemas and those of all released versions.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnSchemas;

impl WriterSchemas for OwnSchemas {
    fn writer_schema(&self, fingerprint: Fingerprint) -> Option<Arc<Schema>> {
        crate::registered::compiled_in().get(&fingerprint).cloned()
    }
}

/// A record that its own schema can't hold: a defect of this build.
#[derive(Debug, thiserror::Error)]
#[error("{record} can't be encoded, its struct and its schema differ: {message}")]
pub struct EncodeError {
    record: &'static str,
    message: String,
}

/// Bytes that can't be read as the wanted record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("not an avro single-object record; something else wrote to this topic")]
    NotSingleObject,
    /// Written by a build whose schemas the ledger (or this reader's view of it) doesn't hold yet: wait, never skip.
    #[error("writer schema {0:016x} is unknown; wait until the ledger view holds it")]
    UnknownFingerprint(Fingerprint),
    #[error("damaged record: {0}")]
    Corrupt(String),
}

impl DecodeError {
    /// Whether the record may become readable once more schemas are known.
    pub fn is_unknown_schema(&self) -> bool {
        matches!(self, Self::UnknownFingerprint(_))
    }
}

/// Encodes a record with this build's schema.
pub fn encode<R: Record>(record: &R) -> Result<Vec<u8>, EncodeError> {
    R::wire().encode(record).map_err(|e| EncodeError {
        record: R::NAME,
        message: e.to_string(),
    })
}

/// Decodes a record, whichever schema wrote it. The whole of `bytes` must be one record.
pub fn decode<R: Record>(bytes: &[u8], writers: &dyn WriterSchemas) -> Result<R, DecodeError> {
    R::wire().decode(bytes, writers)
}

/// The fingerprint that a single-object record was written with.
pub fn fingerprint_of(bytes: &[u8]) -> Result<Fingerprint, DecodeError> {
    wire::split(bytes).map(|(fingerprint, _)| fingerprint)
}

/// The schemas that this build writes, as `(fingerprint, record name, schema JSON)`: what a process puts in the ledger
/// before it first uses them.
pub fn own_schemas() -> Vec<(Fingerprint, &'static str, &'static str)> {
    crate::registered::own()
}

/// Parses a schema as it stands in a ledger's `schema/<fingerprint>` entry, and its fingerprint.
pub fn parse_schema(avsc: &str) -> Result<(Fingerprint, Schema), DecodeError> {
    let schema = Schema::parse_str(avsc).map_err(|e| DecodeError::Corrupt(format!("avro schema: {e}")))?;
    Ok((wire::rabin(&schema), schema))
}
