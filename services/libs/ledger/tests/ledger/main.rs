//! The ledger on real Kafka: each test under a topic prefix of its own, clerks in processes of their own.

mod barrier;
mod child;
mod conflicts;
mod crashes;
mod rekeying;
mod repeats;
mod support;
mod throughput;
