//! The ledger: configuration in a compacted topic, its in-memory view, and the clerk that alone writes it.
//!
//! [`Ledger`] follows the topic into a [`View`]; [`Writer`] asks for changes and waits for their outcome; [`Clerk`]
//! decides them, one process at a time, each batch in one transaction; [`Keyring`] encrypts secrets before they are sent
//! anywhere. Deliberately not here: who may ask for a change (the API and the CLI), what an event type or a filter means
//! (`event-model`), and what is done with an endpoint.

pub mod backup;
mod barrier;
mod clerk;
pub mod entities;
mod entity;
mod error;
mod follow;
mod keyring;
mod outcomes;
mod rules;
mod secrets;
mod view;
mod writer;

pub use clerk::{Clerk, ClerkOptions};
pub use entity::{Change, Entity, Kind, UnknownKind, Versioned};
pub use error::{Error, WriteError};
pub use follow::Ledger;
pub use keyring::{Keyring, KeyringError};
pub use rules::{Unfit, check};
pub use secrets::{
    OldSecret, RekeyError, RotateError, make_signing_key, old_secrets, old_secrets_expire_at_ms, open_headers,
    open_signing_keys, open_signing_secrets, rekey, rotate_secret, seal_header, seal_signing_secret,
};
pub use view::View;
pub use writer::{Decided, Writer};
