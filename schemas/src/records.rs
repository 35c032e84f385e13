//! One file a record. Field names are the Avro names; a change here needs the same change in the `.avsc` beside it.

pub mod attempt;
pub mod dead_letter;
pub mod delivery;
pub mod entity;
pub mod ledger;
pub mod log;
pub mod rejected;
