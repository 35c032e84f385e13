//! What one bad endpoint of a tenant does to the deliveries of other tenants: the time from publishing to the receiver,
//! without it and with it, in turns, in the same dispatcher process. One of the others shares the bad endpoint's shard, one
//! doesn't. Two more cases show what of it the endpoint's being bad has not done: `absent` and `healthy`.
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
use figures::{Figures, Turn, Window};
use observer::Observers;

/// The bad endpoint's, and that of one observer.
const SHARD: i32 = 3;
const OTHER_SHARD: i32 = 6;
/// Beyond what the slow neighbour takes, so that it succeeds.
const TIMEOUT_SEC: i32 = 30;
/// For what was under way to a deleted endpoint to end.
const SETTLE: Duration = Duration::from_secs(2);
/// Cases between two windows without anybody.
const CASES_A_WINDOW: usize = 3;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Neighbours; left out: all
    #[arg(long, value_delimiter = ',')]
    cases: Vec<Manner>,
    /// Placements of all endpoints; left out: both
    #[arg(long, value_delimiter = ',')]
    placements: Vec<Placement>,
    /// Events a second for each of the two observed endpoints
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Of each window
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Events that don't count, before everything, in seconds: brokers are slow at first
    #[arg(long, default_value_t = 60)]
    warm_up: u32,
    /// Deliveries for the bad endpoint when its window begins
    #[arg(long, default_value_t = 1_500)]
    waiting: u64,
    /// More of them each second, so that none of the manners runs out
    #[arg(long, default_value_t = 50)]
    more: u32,
    /// Windows of each case; all of them count as one
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
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
    let mut all = Vec::new();
    for placement in options.placements() {
        all.push(in_one_place(&options, placement).await?);
    }
    let table: String = std::iter::once(figures::HEAD.to_owned())
        .chain(all.iter().map(Figures::rows))
        .collect();
    let line = figures::last_line(&all);
    let explained = format!(
        "{table}\n`{line}`\n\n{} events a second for each of two tenants in one dispatcher process; windows of {} s, in turns: without anybody, and beside\nan endpoint for which {} deliveries wait at the beginning and {} more come each second (`absent`: none at all, `healthy`: it answers at\nonce). Times in milliseconds, from before the event is written to Kafka to the request's arrival, all windows of a case\ntogether. `circuit.failures` is {}. *Same shard*: the observed endpoint has its shard, and so its task, in common with\nthe bad one. The ratio is its p99 by its p99 without anybody: how far `absent` is from 1 is noise.\n",
        options.rate, options.seconds, options.waiting, options.more, options.circuit_failures,
    );
    println!("{table}");
    let path = run.write(&options.results, &explained)?;
    eprintln!("written to {}", path.display());
    println!("{line}");
    let worst = all.iter().flat_map(Figures::ratios).map(|(_, ratio)| ratio);
    Ok(match worst.fold(0.0, f64::max) <= options.most_ratio {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// All turns in one placement, on a stage of its own.
async fn in_one_place(options: &Options, placement: Placement) -> anyhow::Result<Figures> {
    // Of failed attempts: soon again, for as long as a window takes, so that nobody gets a rest.
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
    let mut figures = Figures::new(placement);
    for turn in 1..=options.turns {
        for (number, case) in options.cases().into_iter().enumerate() {
            if number % CASES_A_WINDOW == 0 {
                let without = observers.measure(&stage, options.rate, options.seconds).await?;
                let [near, far] = without.each_ref().map(|latencies| latencies.p99());
                eprintln!(
                    "turn {turn}, {}, nobody: p99 {near:.1} ms, {far:.1} ms",
                    placement.name()
                );
                figures.add_without(without);
            }
            let measured = beside(options, &stage, &dispatcher, &observers, placement, case).await?;
            eprintln!("turn {turn}, {}, {}: {measured}", placement.name(), case.name());
            figures.add(case, measured);
        }
    }
    dispatcher.kill9().await?;
    stage.end().await?;
    Ok(figures)
}

/// One window with the neighbour, which is made for it and deleted after it.
async fn beside(
    options: &Options,
    stage: &Stage,
    dispatcher: &Process,
    observers: &Observers,
    placement: Placement,
    case: Manner,
) -> anyhow::Result<Turn> {
    let (waiting, more) = match case {
        Manner::Absent => (0, 0),
        _ => (options.waiting, options.more),
    };
    let neighbour = Neighbour::start(case)?;
    let bad = stage
        .party("bad", neighbour.url(), placement, SHARD, |endpoint| {
            endpoint.timeout_sec = (case == Manner::Slow).then_some(TIMEOUT_SEC);
        })
        .await?;
    let written_before = stage.written(&bad).await?;
    let attempts_before = counter(&dispatcher.metrics().await?, "hookline_attempt_seconds_count");
    stage.publish(&bad, 0, waiting).await?;
    stage.until_written(&bad, written_before + waiting).await?;
    let feed = feed(stage, &bad, waiting, more, options.seconds);
    let (with, fed) = tokio::join!(observers.measure(stage, options.rate, options.seconds), feed);
    let (with, fed): (Window, u64) = (with?, fed?);
    let attempts = counter(&dispatcher.metrics().await?, "hookline_attempt_seconds_count") - attempts_before;
    let of_observers: usize = match placement {
        Placement::Dedicated => 0,
        Placement::Lanes => with[0].count(),
    };
    let turn = Turn {
        bad_attempts: attempts.saturating_sub(with.iter().map(|latencies| latencies.count() as u64).sum()),
        bad_requests: neighbour.count(),
        bad_written: stage.written(&bad).await? - written_before - of_observers as u64,
        bad_published: waiting + fed,
        with,
    };
    stage.direct.delete(&bad.endpoint_id).await?;
    drop(neighbour);
    tokio::time::sleep(SETTLE).await;
    Ok(turn)
}

/// More for the bad endpoint, each second, for as long as a window takes. How many.
async fn feed(stage: &Stage, bad: &Party, first: u64, more: u32, seconds: u32) -> anyhow::Result<u64> {
    let mut beats = tokio::time::interval(Duration::from_secs(1));
    let mut fed = 0;
    for _ in 0..seconds {
        beats.tick().await;
        stage.publish(bad, first + fed, u64::from(more)).await?;
        fed += u64::from(more);
    }
    Ok(fed)
}
