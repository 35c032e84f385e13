//! `cargo xtask`: the workspace's tasks. Only the command line is here; each task is a file of its own. It depends on
//! nothing that needs a C library, because it is what installs those.

mod build;
mod kafka;
mod processes;
mod run;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Hookline's tasks. Those that need a Kafka bring it.")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Start Kafka, print its bootstrap servers, and run until Ctrl-C
    Kafka {
        /// 1 or 3
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
        nodes: u8,
    },
    /// Build everything, then run all tests against a real Kafka
    Test {
        /// Given to every test binary: a filter, --nocapture, --test-threads=N …
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// The main job on real input, from Kafka records to verified HTTP requests and back from the dead letters
    Demo {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Kill roles at random moments and at every crash point, and check that nothing is lost
    Chaos {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measure a release build with a scenario such as `smoke`
    Loadtest {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Install what the C libraries are built with, where that is possible; the other tasks do it by themselves
    Tools,
    /// Check what clippy can't: headers, lengths, who may depend on what, names, stray files
    Tidy,
}

fn main() -> ExitCode {
    let task = Arguments::parse().task;
    match run_task(task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_task(task: Task) -> anyhow::Result<ExitCode> {
    processes::handle_signals()?;
    match task {
        Task::Kafka { nodes } => kafka::run(nodes),
        Task::Test { arguments } => test::run(&arguments),
        Task::Demo { arguments } => run::demo(&arguments),
        Task::Chaos { arguments } => run::chaos(&arguments),
        Task::Loadtest { arguments } => run::loadtest(&arguments),
        Task::Tools => tools::ensure().map(|()| ExitCode::SUCCESS),
        Task::Tidy => tidy::run(),
    }
}
