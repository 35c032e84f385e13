//! Dead letters on a real Kafka: what a scan finds, and that nothing is ever sent twice.

mod generations;
mod reading;
mod support;
mod sweeping;
