//! Role `api`: the HTTP API, and the clerk or a candidate for its office.
//!
//! `native` and `tenant_api` are the two APIs that tenants use, over the same ledger; `auth`, `body`, `query`, `once` and
//! `precondition` are what their routes take requests by; `endpoints` is what both do, `health` how those that fail are
//! doing. Ready means: the ledger's end was read just now, and a clerk has founded the installation, whichever process that
//! is.
//!
//! Deliberately not here: how changes are decided (`ledger`), what may be set on an endpoint (`endpoint-settings`), and the
//! admin listener (`runtime`).

mod admin;
mod answer;
mod auth;
mod body;
mod endpoints;
mod error;
mod head;
mod health;
mod history;
mod native;
mod notes;
mod observe;
mod once;
mod openapi;
mod page;
mod path;
mod precondition;
mod query;
mod rate;
mod router;
mod server;
mod service;
mod state;
mod tenant_api;

pub use rate::Rate;
pub use server::ListenError;
pub use service::{Error, Service};

use ledger::{ClerkOptions, Keyring};
use std::{fmt, net::SocketAddr};

/// Settings of the role.
#[derive(Clone)]
pub struct Options {
    pub clerk: ClerkOptions,
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// In clear.
    pub operator_key: String,
    /// Seals secrets, and opens header values.
    pub keyring: Keyring,
    /// What endpoints' URLs are judged by.
    pub egress: egress::Options,
    pub delivery: DeliveryDefaults,
    /// How often a key may ask.
    pub rate: Rate,
    /// None: this process knows nothing of the history, and its routes say so.
    pub history: Option<history_store::Store>,
}

/// Without the operator's key.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("delivery", &self.delivery)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

/// What an endpoint has unless it says otherwise.
#[derive(Debug, Clone)]
pub struct DeliveryDefaults {
    pub header_prefix: String,
    pub max_in_flight: i64,
    pub timeout_sec: i64,
    pub retry_schedule_sec: Vec<i64>,
    /// Of an event, as fan-out takes it.
    pub max_payload_bytes: usize,
    /// How much older than an endpoint an event may be that fan-out matches with it.
    pub clock_tolerance_ms: i64,
}
