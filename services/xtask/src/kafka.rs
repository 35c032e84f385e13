//! `cargo xtask kafka`: a Kafka for work by hand, until Ctrl-C.

use std::process::ExitCode;

use brokers::Kafka;

use crate::processes;

/// Starts 1 or 3 nodes, says where they are, and ends them at a signal.
pub(crate) fn run(nodes: u8) -> anyhow::Result<ExitCode> {
    let kafka = Kafka::obtain(nodes)?;
    processes::fail_if_interrupted()?;
    println!("kafka: {} answers; Ctrl-C ends it", kafka.description());
    println!("export KAFKA_BROKERS={}", kafka.bootstrap());
    processes::wait_for_signal();
    eprintln!("kafka: ending");
    Ok(ExitCode::SUCCESS)
}
