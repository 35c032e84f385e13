//! The fan-out on real Kafka: source records in, deliveries, log records and rejections out. A topic prefix of its own
//! for each test. Sending is not here: the topics are read as a dispatcher would.

mod bed;
mod configuration;
mod formats;
mod places;
mod poison;
mod refusals;
mod restart;
