//! The role on a real Kafka, asked over HTTP as its callers ask it.

mod client;
mod endpoints;
mod headers;
mod hostile;
mod idempotency;
mod keys;
mod pages;
mod replicas;
mod role;
mod settings;
mod support;
mod tenant_api;
