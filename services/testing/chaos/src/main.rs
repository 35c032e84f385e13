//! `hookline-chaos`: one run, its figures, and exit status 1 when a guarantee was broken. What it does is the library's.

use std::process::ExitCode;
use std::time::Duration;

use chaos::{Faults, Options};
use clap::Parser;

/// Kills, halts and restarts processes of the product while they deliver, and accounts for every delivery
#[derive(Debug, Parser)]
#[command(name = "hookline-chaos")]
struct Arguments {
    /// Pairs of event and endpoint
    #[arg(long, default_value_t = 20_000)]
    deliveries: usize,
    /// Of everything that is random; a new one when left out
    #[arg(long)]
    seed: Option<u64>,
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(20..=500))]
    endpoints: u16,
    /// How long to publish and kill; by the number of deliveries when left out
    #[arg(long)]
    minutes: Option<f64>,
    /// 3: the run starts a cluster of its own, whose brokers are killed too
    #[arg(long, default_value_t = 1, value_parser = parse_brokers)]
    brokers: u8,
    /// SIGKILL alone
    #[arg(long)]
    only_kills: bool,
}

fn parse_brokers(text: &str) -> Result<u8, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("1 or 3".to_owned()),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(|| rand::random_range(1..1_000_000));
    println!("chaos: seed={seed}");
    let mut options = Options::new(arguments.deliveries, seed);
    options.endpoints = usize::from(arguments.endpoints);
    options.storm = arguments.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0));
    options.kills_brokers = arguments.brokers == 3;
    if arguments.only_kills {
        options.faults = Faults::Kills;
    }
    let summary = chaos::run(&options).await?;
    for violation in &summary.violations {
        println!("chaos: VIOLATION: {violation}");
    }
    println!("{summary}");
    Ok(if summary.violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
