//! Real Apache Kafka for tests, the demo and local work.
//!
//! Responsible for finding or starting brokers ([`Kafka::obtain`]), for clusters whose nodes a test may kill
//! ([`Cluster`]), and for leaving nothing behind, however the process that started them ends ([`Reaper`]).
//! Deliberately no Kafka client: readiness is asked with one hand-written request, so that this crate and xtask
//! build without librdkafka. It makes no topics.

mod cluster;
mod compose;
mod jars;
mod java;
mod kafka;
mod node;
mod ports;
mod probe;
mod properties;
pub mod provision;
mod reaper;

pub use cluster::{Cluster, Options};
pub use kafka::{BOOTSTRAP_VARIABLE, Kafka, shared_bootstrap};
pub use reaper::Reaper;
