//! What one bad endpoint of a tenant does to the deliveries of other tenants: the time from publishing to the receiver,
//! without it and with it, in the same dispatcher process. One of the others shares the bad endpoint's shard, one doesn't.
//!
//! The circuit breaker, which would spare the dispatcher most of a bad endpoint, is out of the way unless asked for.

mod figures;
mod observer;

use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use harness::Process;

use crate::product::counter;
use crate::receiver::{Manner, Neighbour};
use crate::results::{self, Run};
use crate::stage::{FEW_LANES, Party, Placement, Setting, Stage};
use figures::{Figures, Turn};
use observer::Observers;

/// The bad endpoint's, and that of one observer.
const SHARD: i32 = 3;
const OTHER_SHARD: i32 = 6;
/// Beyond what the slow neighbour takes, so that it succeeds.
const TIMEOUT_SEC: i32 = 30;
/// For what was under way to a deleted endpoint to end.
const SETTLE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Bad neighbours; left out: all
    #[arg(long, value_delimiter = ',')]
    cases: Vec<Manner>,
    /// Placements of all endpoints; left out: both
    #[arg(long, value_delimiter = ',')]
    placements: Vec<Placement>,
    /// Events a second for each of the two observed endpoints
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Of each measurement
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// Events that don't count, before everything, in seconds
    #[arg(long, default_value_t = 10)]
    warm_up: u32,
    /// Deliveries for the bad endpoint when a measurement begins
    #[arg(long, default_value_t = 1_500)]
    waiting: u64,
    /// More of them each second, so that none of the manners runs out
    #[arg(long, default_value_t = 50)]
    more: u32,
    /// Of each case, without and with it; the median ratio counts
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    turns: u32,
    /// `circuit.failures` of the dispatcher
    #[arg(long, default_value_t = 1_000_000)]
    circuit_failures: u32,
    /// Exit status 1 when a ratio is above this
    #[arg(long, default_value_t = 1.2)]
    most_ratio: f64,
    #[command(flatten)]
    results: results::Output,
}

impl Options {
    fn cases(&self) -> Vec<Manner> {
        match self.cases.is_empty() {
            true => Manner::value_variants()
                .iter()
                .copied()
                .filter(|m| *m != Manner::Silent)
                .collect(),
            false => self.cases.clone(),
        }
    }

    fn placements(&self) -> Vec<Placement> {
        match self.placements.is_empty() {
            true => Placement::value_variants().to_vec(),
            false => self.placements.clone(),
        }
    }
}

/// Runs it, prints and writes the report.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let run = Run::begin("isolation");
    let mut figures = Figures::default();
    for placement in options.placements() {
        // Of failed attempts: soon again, for as long as a measurement takes, so that nobody gets a rest.
        let settings = [
            ("circuit.failures", options.circuit_failures.to_string()),
            ("delivery.retry_schedule_sec", ["5"; 20].join(",")),
        ];
        let stage = Stage::start(Setting {
            name: "isolation",
            lanes: FEW_LANES,
            settings: &settings,
            support: &["api", "scheduler", "fanout"],
        })
        .await?;
        let mut dispatcher = stage.installation.serve("dispatcher", &["dispatcher"]).await?;
        let observers = Observers::start(&stage, placement, [SHARD, OTHER_SHARD]).await?;
        observers.measure(&stage, options.rate, options.warm_up).await?;
        for turn in 1..=options.turns {
            for case in options.cases() {
                let measured = measure(&options, &stage, &dispatcher, &observers, placement, case).await?;
                eprintln!("turn {turn}, {}, {}: {measured}", case.name(), placement.name());
                figures.add(case, placement, measured);
            }
        }
        dispatcher.kill9().await?;
        stage.end().await?;
    }
    let line = figures.last_line();
    let explained = format!(
        "{}\n`{line}`\n\n{} events a second for each of two tenants, {} s a measurement, in the same dispatcher process without and with\nthe bad endpoint, for which {} deliveries wait at the beginning and {} more come each second. Times in milliseconds, from\nbefore the event is written to Kafka to the request's arrival. `circuit.failures` is {}. *Same shard*: the endpoint has\nits shard, and so its task, in common with the bad one; the ratio in the last line is its p99 with by its p99 without.\n",
        figures.table(),
        options.rate,
        options.seconds,
        options.waiting,
        options.more,
        options.circuit_failures,
    );
    println!("{}", figures.table());
    let path = run.write(&options.results, &explained)?;
    eprintln!("written to {}", path.display());
    println!("{line}");
    Ok(if figures.worst() <= options.most_ratio {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The observers without the bad endpoint, then with it.
async fn measure(
    options: &Options,
    stage: &Stage,
    dispatcher: &Process,
    observers: &Observers,
    placement: Placement,
    case: Manner,
) -> anyhow::Result<Turn> {
    let without = observers.measure(stage, options.rate, options.seconds).await?;
    let neighbour = Neighbour::start(case)?;
    let bad = stage
        .party("bad", neighbour.url(), placement, SHARD, |endpoint| {
            endpoint.timeout_sec = (case == Manner::Slow).then_some(TIMEOUT_SEC);
        })
        .await?;
    let written_before = stage.written(&bad).await?;
    let attempts_before = counter(&dispatcher.metrics().await?, "hookline_attempt_seconds_count");
    stage.publish(&bad, 0, options.waiting).await?;
    stage.until_written(&bad, written_before + options.waiting).await?;
    let (with, fed) = tokio::join!(
        observers.measure(stage, options.rate, options.seconds),
        feed(stage, &bad, options)
    );
    let (with, fed) = (with?, fed?);
    let attempts = counter(&dispatcher.metrics().await?, "hookline_attempt_seconds_count") - attempts_before;
    let of_observers: usize = match placement {
        Placement::Dedicated => 0,
        Placement::Lanes => with[0].count,
    };
    let turn = Turn {
        without,
        bad_attempts: attempts.saturating_sub(with.iter().map(|latencies| latencies.count as u64).sum()),
        bad_requests: neighbour.count(),
        bad_written: stage.written(&bad).await? - written_before - of_observers as u64,
        bad_published: options.waiting + fed,
        with,
    };
    stage.direct.delete(&bad.endpoint_id).await?;
    drop(neighbour);
    tokio::time::sleep(SETTLE).await;
    Ok(turn)
}

/// More for the bad endpoint, each second, for as long as a measurement takes. How many.
async fn feed(stage: &Stage, bad: &Party, options: &Options) -> anyhow::Result<u64> {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    let mut fed = 0;
    for _ in 0..options.seconds {
        seconds.tick().await;
        stage
            .publish(bad, options.waiting + fed, u64::from(options.more))
            .await?;
        fed += u64::from(options.more);
    }
    Ok(fed)
}
