//! Chaos: the whole product under SIGKILL, SIGSTOP and SIGTERM. Processes of every role are killed at random moments and
//! at every crash point, halted for longer than their sessions, restarted in order, taken away for a while; brokers of a
//! cluster die too, when a run asks for that. Receivers are bad neighbours of every kind; endpoints are disabled, deleted,
//! given new secrets, mended and replayed. Meanwhile events are published; at the end every delivery is accounted for
//! (invariants 1 to 4), in the history's database too. A run is seeded: the same seed makes the same endpoints, events and
//! faults, as far as the machine's timing lets it.
//!
//! Deliberately not here: how the product is started and observed (`harness`).

mod broker_faults;
mod cast;
pub mod crash_points;
mod faults;
mod fleet;
mod history;
mod ledger_edits;
mod limits;
mod manner;
mod recovery;
mod repeats;
mod run;
mod specials;
mod traffic;
mod verdict;
mod weather;

pub use faults::Faults;
pub use run::{Options, run};
pub use verdict::Summary;
