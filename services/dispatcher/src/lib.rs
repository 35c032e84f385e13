//! Role `dispatcher`: owns shards, makes their endpoints' HTTP requests, and writes down what came of them.
//!
//! A shard is a partition of the lanes topic. Whoever owns it reads it, the same partition of `returns` and the
//! dedicated topics of its endpoints, and is the only process that sends to those endpoints. Waiting for a due time
//! is the scheduler's work; matching is fan-out's.

mod attempt;
mod auto_disable;
mod budget;
mod commit;
mod context;
mod error;
mod housekeeping;
mod options;
mod outbox;
mod pulse;
mod readers;
mod service;
mod shard;
mod span;
mod target;

pub use error::Error;
pub use options::Options;
pub use service::Service;
