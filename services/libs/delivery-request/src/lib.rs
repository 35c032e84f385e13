//! The request that an endpoint receives: the headers' names under its tenant's prefix, its own headers, and the
//! signatures of its secrets, so that a delivery and a test send look the same.
//!
//! Deliberately not here: the body (`event-model`), making the request (`egress`), and what follows from its result
//! (`delivery-core`, the dispatcher).

mod failure;
mod head;
mod mask;
mod names;
mod signers;

pub use failure::words;
pub use head::{About, Head};

/// First bytes of a response's body that are kept.
pub const MAX_RESPONSE_BYTES: usize = 4096;
