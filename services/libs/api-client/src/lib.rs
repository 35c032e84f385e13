//! A client of Hookline's own HTTP API, for the command line: one method a route, errors that carry what the API said.
//!
//! It repeats what the API asks to repeat (503 and 429, by `Retry-After`) and what never arrived, a few times, with the
//! same `Idempotency-Key`, so that nothing is done twice. Deliberately not here: delivery requests (`egress`), and where
//! address and key come from (the command line).

mod admin;
mod backup;
mod call;
mod client;
mod deliveries;
mod endpoints;
mod error;
mod events;
mod jobs;
mod patience;

pub use admin::{Key, NewKey, NewTenant, Quotas, Tenant};
pub use backup::{ImportOptions, Imported};
pub use client::{Client, Probe, Settings};
pub use deliveries::{Attempt, DeliveriesWanted, Delivery, DeliveryDetail, EventDetail, NotMatched};
pub use endpoints::{
    Endpoint, EndpointFields, RateLimit, ResourceScopes, Rotation, TestRequest, TestResult, WithSecret,
};
pub use error::{Detail, Error, Refusal};
pub use events::Published;
pub use jobs::{Job, ReplayWanted};
pub use patience::Patience;
