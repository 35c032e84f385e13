//! The `hookline` binary: reads the command line, runs one command, and turns what came of it into an exit status.
//! Commands are in `commands/`, one file a group; configuration is in `config/`; the roles are crates of their own.

mod api;
mod cli;
mod commands;
mod config;
mod connect;
mod failure;
mod later;
mod output;
mod progress;
mod when;

use clap::Parser;
use std::process::ExitCode;

/// A delivery's memory is taken on one thread and given back on another: the platform's allocator spends its time on locks
/// there (a fifth of a dispatcher's processor time with glibc's).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match cli::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return later::report(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&anyhow::anyhow!("can't start threads: {error}")),
    };
    let ended = runtime.block_on(Box::pin(commands::run(arguments)));
    // What still reads from Kafka in the background must not keep a finished command waiting.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
