//! The fan-out role: source records become one delivery for each endpoint that they are for, and one `matched` log
//! record; what can't be read or breaks its contract becomes `rejected`.
//!
//! [`Service::run`] is the role. Deliberately not here: formats, envelopes and contracts (`event-model`), the matching
//! rules (`delivery-core`), sending (`dispatcher`), and configuration files (the binary).
//!
//! # How a batch goes
//! A worker for each owned source partition takes what is there (`batch`), waits until the view of the ledger holds all
//! that was committed before (`projection`), judges each record (`judge`), writes what follows from it (`plan`,
//! `outgoing`, `slice`), waits for every acknowledgement, and only then commits (`worker`). So a crash repeats at most
//! one batch of each partition, with the same delivery ids.

mod batch;
mod error;
mod expired;
mod judge;
mod measure;
mod options;
mod outgoing;
mod place;
mod projection;
mod rejection;
mod service;
mod slice;
mod span;
mod start;
mod worker;

pub use error::Error;
pub use options::{BatchLimits, Guarantee, InvalidOptions, Options, Source, StartAt};
pub use service::Service;
