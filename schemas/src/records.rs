//! One file a record. Field names are the Avro names; a change here needs the same change in the `.avsc` of the same name in `avro/`.

pub mod attempt;
pub mod dead_letter;
pub mod delivery;
pub mod entity;
pub mod event;
pub mod health;
pub mod ledger;
pub mod log;
pub mod rejected;
