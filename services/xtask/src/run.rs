//! `demo`, `chaos` and `loadtest`: builds, brings a Kafka, and runs the program that does the work. What the program
//! needs to know comes in its environment: `KAFKA_BROKERS`, and `HOOKLINE_BIN`, the path of the product's binary. Chaos
//! brings its Kafka itself, because its options say which.

use std::path::Path;
use std::process::{Command, ExitCode};

use brokers::Kafka;

use crate::{build, processes};

/// The variable with the path of the built `hookline`.
pub(crate) const BINARY_VARIABLE: &str = "HOOKLINE_BIN";

/// `cargo xtask demo`.
pub(crate) fn demo(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let programs = build::dev_programs()?;
    with_kafka(programs.get("hookline-demo")?, programs.get("hookline")?, arguments)
}

/// `cargo xtask chaos`: the same build as the demo's, whose debug assertions make it obey crash points.
pub(crate) fn chaos(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let programs = build::dev_programs()?;
    run(
        programs.get("hookline-chaos")?,
        programs.get("hookline")?,
        None,
        arguments,
    )
}

/// `cargo xtask loadtest`: optimized.
pub(crate) fn loadtest(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let programs = build::release_programs(&["hookline", "loadtest"])?;
    with_kafka(programs.get("hookline-loadtest")?, programs.get("hookline")?, arguments)
}

fn with_kafka(program: &Path, hookline: &Path, arguments: &[String]) -> anyhow::Result<ExitCode> {
    processes::fail_if_interrupted()?;
    let kafka = Kafka::obtain(1)?;
    run(program, hookline, Some(&kafka), arguments)
}

fn run(program: &Path, hookline: &Path, kafka: Option<&Kafka>, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(build::root())
        .env(BINARY_VARIABLE, hookline);
    if let Some(kafka) = kafka {
        command.env(brokers::BOOTSTRAP_VARIABLE, kafka.bootstrap());
    }
    Ok(processes::exit_code(processes::run(&mut command)?))
}
