//! Measures a release build: how many requests a second leave through Hookline, beside what its HTTP client alone makes
//! of the same requests to the same receiver on the same machine in the same run.
//!
//! `cargo xtask loadtest smoke` builds, brings a Kafka and runs this program. Its parts:
//! - the *receiver* ([`receiver`]) is a process of its own, as cheap as an HTTP server with keep-alive can be: it counts,
//!   answers 200, and keeps one request in a hundred, whose signature is verified when the measurement is over;
//! - the *baseline* ([`baseline`]) is a process of its own too: reqwest with the product's settings, signed bodies of
//!   500 bytes, at a fixed concurrency;
//! - the *product* ([`product`]) is the real binary: events are published and fanned out while no dispatcher runs, then one
//!   dispatcher starts on the backlog;
//! - a *scenario* ([`scenarios`]) takes turns between the two, again and again, and [`report`] writes down the medians.
//!
//! `isolation` and `memory` measure other things than speed: what one bad endpoint ([`receiver::Neighbour`]) does to other
//! tenants, and what a dispatcher occupies while deliveries wait. They set their endpoints up by [`stage`] and write by
//! [`results`]. `history` measures the delivery log. `api` asks the HTTP API, and publishes the same events by it and by a plain producer in turns.
//!
//! In `smoke` both sides are timed by the receiver, from its first request to its last. Only what was measured in turns within one
//! run can be compared: the figures of two machines, or of two runs, can't. The receiver, Kafka and whatever else the
//! machine does share its cores with the sender, in both cases.
//!
//! Deliberately not here: whether deliveries are right (acceptance, chaos), and any sender to hosts but 127.0.0.1.

mod baseline;
mod body;
mod child;
mod load;
mod machine;
mod product;
mod receiver;
mod report;
mod results;
mod scenarios;
mod stage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "hookline-loadtest", about = "Measures a release build of Hookline")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Deliveries a second to one endpoint and to ten, beside what reqwest alone makes of the same requests
    Smoke(scenarios::smoke::Options),
    /// What one bad endpoint does to the latency of other tenants' deliveries
    Isolation(scenarios::isolation::Options),
    /// What a dispatcher occupies while many deliveries wait
    Memory(scenarios::memory::Options),
    /// Endpoints made and read a second over the HTTP API, and events published by it beside plain Kafka
    Api(scenarios::api::Options),
    /// The delivery log on SQLite and Postgres: the projection's speed, lists among millions of rows, a replay as a job
    History(scenarios::history::Options),
    /// The receiver's process
    #[command(hide = true)]
    Receiver(receiver::Options),
    /// The process of reqwest alone
    #[command(hide = true)]
    Baseline(baseline::Options),
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().task {
        Task::Receiver(options) => receiver::serve(&options).map(|()| ExitCode::SUCCESS),
        Task::Baseline(options) => threads()?.block_on(baseline::send(options)).map(|()| ExitCode::SUCCESS),
        Task::Smoke(options) => threads()?.block_on(scenarios::smoke::run(options)),
        Task::Isolation(options) => threads()?.block_on(scenarios::isolation::run(options)),
        Task::Memory(options) => threads()?.block_on(scenarios::memory::run(options)),
        Task::History(options) => threads()?.block_on(scenarios::history::run(options)),
        Task::Api(options) => threads()?.block_on(scenarios::api::run(options)),
    }
}

fn threads() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
