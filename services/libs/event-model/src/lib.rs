//! What an event is: its parsed form, the formats it comes in, the envelopes it leaves in, the catalogs of types, their
//! contracts, and endpoint filters.
//!
//! Pure: no tokio, no clock, no network. Deliberately not here: matching events with endpoints (`delivery-core`) and where
//! configuration comes from (`ledger`).

pub mod admission;
pub mod catalog;
pub mod contract;
pub mod envelope;
pub mod event;
pub mod filter;
pub mod formats;
pub mod ids;
mod json_shape;

pub use admission::{Admitted, Refusal, admit};
pub use catalog::{CatalogError, Catalogs, Resource, Stability, TypeInfo};
pub use contract::Violation;
pub use envelope::{Envelope, Rendered, UnknownEnvelope, render};
pub use event::Event;
pub use filter::{Filter, FilterError};
pub use formats::{Format, ParseError, SourceRecord, SourceSettings, TenantFrom, parse};
