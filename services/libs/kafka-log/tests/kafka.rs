//! The Kafka library on a real broker: ownership, fencing, explicit offsets, windows, transactions, topics.

#[path = "kafka/leaders.rs"]
mod leaders;
#[path = "kafka/membership.rs"]
mod membership;
#[path = "kafka/positions.rs"]
mod positions;
#[path = "kafka/reading.rs"]
mod reading;
#[path = "kafka/retention.rs"]
mod retention;
#[path = "kafka/setup.rs"]
mod setup;
#[path = "kafka/topics.rs"]
mod topics;
#[path = "kafka/transactions.rs"]
mod transactions;
#[path = "kafka/unknown.rs"]
mod unknown;
