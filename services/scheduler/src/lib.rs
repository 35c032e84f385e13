//! The scheduler: waiting deliveries leave the retry topics when they are due, and topics that nobody needs any more are
//! deleted by the janitor.
//!
//! Each owned partition number has one worker and one transactional id; what is due moves on in one transaction with the
//! offsets it came from, so a crash forks no retry chain. A tier has one fixed delay, so what is due first has mostly been
//! written first; what has jitter leaves out of turn (`queue`). Deliberately not here: when a delivery is to be tried again
//! (dispatcher), and which tier it takes (`delivery_core::tier`).

mod batch;
mod error;
mod housekeeping;
mod janitor;
mod options;
mod queue;
mod service;
mod worker;

pub use error::Error;
pub use options::Options;
pub use service::Service;
