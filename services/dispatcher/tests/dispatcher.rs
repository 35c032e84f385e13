//! The dispatcher on real Kafka: deliveries put straight into its topics, instances of the role in this process, and
//! receivers of the tests' own. Each test has a topic prefix of its own.

#[path = "dispatcher/circuit.rs"]
mod circuit;
#[path = "dispatcher/gauges.rs"]
mod gauges;
#[path = "dispatcher/handover.rs"]
mod handover;
#[path = "dispatcher/limits.rs"]
mod limits;
#[path = "dispatcher/memory.rs"]
mod memory;
#[path = "dispatcher/outcomes.rs"]
mod outcomes;
#[path = "dispatcher/poison.rs"]
mod poison;
#[path = "dispatcher/receiver.rs"]
mod receiver;
#[path = "dispatcher/requests.rs"]
mod requests;
#[path = "dispatcher/schemes.rs"]
mod schemes;
#[path = "dispatcher/setup.rs"]
mod setup;
#[path = "dispatcher/states.rs"]
mod states;
#[path = "dispatcher/tail.rs"]
mod tail;
#[path = "dispatcher/truncation.rs"]
mod truncation;
#[path = "dispatcher/zombie.rs"]
mod zombie;
