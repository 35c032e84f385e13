//! The delivery log as SQL rows: what became of every delivery, in SQLite or Postgres, with the same queries on both.
//!
//! A row is what the log's records say together, whatever their order and however often they come (`delivery`, pure).
//! Bodies stay in Kafka: a row holds the positions of the records that have them. The database is a projection: how far
//! it has come stands in it, in the transactions that bring it there, and without it everything is read again.
//!
//! The only crate that knows SQL. Deliberately not here: reading the log (role `history`), and who may see what
//! (`control-api`).

mod counters;
mod database;
mod delivery;
mod error;
mod event;
mod fold;
mod prune;
mod query;
mod recovery;
mod rejection;
mod tables;
mod values;
mod write;

pub use counters::Counters;
pub use database::Store;
pub use delivery::{Delivery, Last, Outcome, Replay, Status};
pub use error::Error;
pub use event::Event;
pub use fold::{Fact, Tried, fold};
pub use query::{After, Filter};
pub use recovery::{Candidates, Missing};
pub use rejection::Rejection;
pub use write::{Batch, Reached};
