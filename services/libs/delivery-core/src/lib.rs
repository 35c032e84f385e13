//! The pure core of delivery: what to do next, decided from values alone. No I/O, no clock, no randomness: time and
//! jitter are passed in, so every rule here can be tested against a naive model. Who acts on a decision, and when, is
//! the roles' business.

pub mod filter;
pub mod health;
pub mod invariants;
pub mod matching;
pub mod murmur2;
pub mod outcome;
pub mod recent;
pub mod reserved_headers;
pub mod retry_after;
pub mod schedule;
pub mod tier;
pub mod tracker;

mod commit_metadata;
