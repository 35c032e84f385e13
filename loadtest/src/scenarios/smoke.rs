//! The one figure of a build: deliveries a second to one endpoint, to ten, and to one in the lanes, each in turns with
//! reqwest alone; and events fanned out a second.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::product::{Case, Delivered, Product};
use crate::receiver::Receiver;
use crate::report::{Pair, Report};
use crate::{baseline, machine};

/// At which the baseline is measured; the better of them counts, so that the product is never flattered.
const CONCURRENCIES: [usize; 2] = [32, 256];
const LISTENERS: usize = 10;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Deliveries of each measurement, and requests of each baseline
    #[arg(long, default_value_t = 30_000)]
    deliveries: u64,
    /// Turns of each case
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Turns before them that don't count: until the brokers' virtual machine has compiled what it runs, it takes more of
    /// the processor than everything else
    #[arg(long, default_value_t = 2)]
    warm_up: u32,
    /// Cases to measure: one_endpoint, ten_endpoints, lanes; left out: all
    #[arg(long, value_delimiter = ',')]
    cases: Vec<String>,
    /// Where the report is written
    #[arg(long, default_value = "loadtest/results")]
    results: PathBuf,
    /// Exit status 1 when a ratio stays below this
    #[arg(long, default_value_t = 0.3)]
    least_ratio: f64,
}

impl Options {
    fn wants(&self, case: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|wanted| wanted == case)
    }
}

/// Runs it, prints and writes the report.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let mut report = Report::begin();
    let mut receiver = Receiver::start(LISTENERS).await?;
    let product = Product::start().await?;
    let mut cases = Vec::new();
    for (name, dedicated, shared) in [("one_endpoint", 1, 0), ("ten_endpoints", 5, 5), ("lanes", 0, 1)] {
        if options.wants(name) {
            cases.push(product.case(name, &receiver, dedicated, shared).await?);
        }
    }
    let warm_up = options.warm_up as usize;
    for round in 1..=warm_up {
        for case in &cases {
            let (_, delivered) = product_alone(&options, &product, case, round, &mut receiver).await?;
            eprintln!("warm-up {round}, {}: {:.0}/s", case.name, delivered.tally.per_second());
        }
    }
    for round in warm_up + 1..=warm_up + options.rounds as usize {
        for case in &cases {
            let pair = turn(&options, &product, case, round, &mut receiver).await?;
            eprintln!("round {round}, {}: {pair} (load {})", case.name, machine::load());
            report.add(case.name, pair);
        }
    }
    product.end().await?;
    println!("{}", report.table());
    let path = report.write(&options.results)?;
    eprintln!("written to {}", path.display());
    println!("{}", report.last_line());
    Ok(if report.least_ratio() >= options.least_ratio {
        ExitCode::SUCCESS
    } else {
        eprintln!(
            "a ratio is below {}: the delivery path has a defect of shape, or this machine was busy (load {})",
            options.least_ratio,
            machine::load()
        );
        ExitCode::FAILURE
    })
}

/// Reqwest alone, then Hookline.
async fn turn(
    options: &Options,
    product: &Product,
    case: &Case,
    round: usize,
    receiver: &mut Receiver,
) -> anyhow::Result<Pair> {
    let mut alone = Vec::new();
    for concurrency in CONCURRENCIES {
        let measured = baseline::measure(receiver, options.deliveries, concurrency).await?;
        alone.push((concurrency, measured));
    }
    let (fanned_out, delivered) = product_alone(options, product, case, round, receiver).await?;
    Ok(Pair {
        alone,
        delivered,
        fanned_out_events: fanned_out / case.endpoints() as f64,
        fanned_out_deliveries: fanned_out,
    })
}

/// Deliveries written a second by a fan-out, then one dispatcher on what was written.
async fn product_alone(
    options: &Options,
    product: &Product,
    case: &Case,
    round: usize,
    receiver: &mut Receiver,
) -> anyhow::Result<(f64, Delivered)> {
    let events = (options.deliveries / case.endpoints()).max(1);
    let fanned_out = product.fan_out(case, round, events).await?;
    let delivered = product.deliver(case, round, events, receiver).await?;
    Ok((fanned_out, delivered))
}
