//! Runs the product as its users run it, for tests, chaos and the demo: real Kafka, processes of the real binary, HTTP
//! receivers that verify what they get, and readers of Hookline's topics that say what became of every delivery.
//!
//! Deliberately not here: what is expected of the product. Each test, and the demo, brings its own expectations, and
//! nothing here calls the product's own decisions.

mod direct;
mod http_get;
mod installation;
pub mod logbook;
mod mute;
mod ports;
mod process;
pub mod publish;
pub mod receiver;
mod topic;
mod trap;
mod wait;

pub use direct::{Direct, MadeEndpoint};
pub use installation::{Installation, Options};
pub use logbook::Logbook;
pub use mute::Mute;
pub use process::Process;
pub use receiver::{Answer, Behaviour, Hook, Receiver, Seen, Tally};
pub use topic::{Followed, follow, read_to_end};
pub use trap::Trap;
pub use wait::until;

/// `host:port,…` of the Kafka that everything in this process shares: that of `KAFKA_BROKERS`, as `cargo xtask` sets it,
/// or one that starts now and ends with the process. Blocks while it starts.
pub fn kafka() -> anyhow::Result<String> {
    brokers::shared_bootstrap()
}

/// Every scope that the built-in catalogs know.
pub const ALL_SCOPES: [&str; 7] = [
    "vault",
    "vision_ocr",
    "transcription",
    "agent",
    "legal",
    "compute",
    "webhooks",
];
