//! The role on a real Kafka, asked over HTTP as its callers ask it.

mod admin;
mod client;
mod endpoints;
mod event_types;
mod events;
mod headers;
mod health;
mod hostile;
mod idempotency;
mod keys;
mod pages;
mod repeats;
mod replicas;
mod role;
mod settings;
mod speed;
mod support;
mod tenant_api;
mod test_send;
