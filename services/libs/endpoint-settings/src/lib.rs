//! What a person may set on an endpoint, and the rules by which it is taken: filters by catalogs and scopes, URLs by the
//! egress policy, headers by their names, limits by the ledger's own rules. The HTTP API and the command line both ask
//! here.
//!
//! Deliberately not here: who may change an endpoint, how a caller writes the settings down (JSON, flags), and writing
//! the result to the ledger.

mod headers;
mod judge;
mod problem;
mod settings;
mod url;

pub use headers::{MAX_HEADERS, REDACTED, is_redacted, parse_header};
pub use judge::{Judge, rejected_scopes, scopes_of};
pub use problem::Problem;
pub use settings::{RateLimit, Settings, Status, UnknownStatus};
