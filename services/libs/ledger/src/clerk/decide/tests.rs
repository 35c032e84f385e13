//! Decisions, without Kafka.
