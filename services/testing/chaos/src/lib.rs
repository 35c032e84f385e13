//! Chaos: the whole product under SIGKILL. Processes of every role are killed at random moments, and at every crash
//! point, while events are published; at the end every delivery is accounted for (invariants 1 to 3). A run is seeded:
//! the same seed makes the same endpoints, events and kills, as far as the machine's timing lets it.
//!
//! Deliberately not here: brokers that die, and how the product is started and observed (`harness`).

mod cast;
pub mod crash_points;
mod fleet;
mod ledger_edits;
mod repeats;
mod run;
mod traffic;
mod verdict;

pub use run::{Options, run};
pub use verdict::Summary;
