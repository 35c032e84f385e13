//! Dead letters, straight on their topic: list, show, export, replay, purge.
//!
//! The topic is compacted by delivery and replay generation, and only a delivery's highest generation counts
//! (`partition`). A replay produces the delivery to `returns`, a tombstone for the letter, a mark under the next
//! generation's key and a `replayed` log record in one transaction, under one transactional id for each partition, after
//! reading the partition to its end once more: neither a crash nor a second operator sends twice.
//!
//! What the history knows is sent again from the event's own body (`again`), in the same way.
//!
//! Deliberately not here: when something becomes a dead letter (dispatcher), and how results are shown (the command
//! line).
//!
//! Memory: one partition at a time, about 60 bytes for each delivery that is dead or was replayed, and one batch.

mod again;
mod error;
mod export;
mod filter;
mod job;
mod pace;
mod partition;
mod plan;
mod receiver;
mod scan;
mod sweep;
mod transact;

pub use again::{Again, Topics, logged_event};
pub use error::Error;
pub use export::{export, to_json};
pub use filter::Filter;
pub use job::{Cursor, Only, RECOVERY, Recovery, Stage};
pub use pace::Pace;
pub use plan::{Progress, Request, Skipped, Summary};
pub use receiver::{Obstacle, receiver};
pub use scan::{DeadLetterEntry, Scanned, scan, show};
pub use sweep::{purge, replay};
pub use transact::{transact, transact_retrying};
