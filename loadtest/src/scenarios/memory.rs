//! What a dispatcher occupies while many deliveries wait: for an endpoint that is paused and for one that never answers,
//! in a topic of its own and in the lanes. And that what is deferred meanwhile counts no attempt.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::ValueEnum;
use delivery_core::tier::TIERS_SEC;
use harness::{Process, read_to_end};
use schemas::{Delivery, OwnSchemas, codec};

use crate::machine;
use crate::product::counter;
use crate::receiver::{Manner, Neighbour};
use crate::results::{self, Run};
use crate::stage::{FEW_LANES, Placement, Setting, Stage};

const SHARD: i32 = 3;
const MIB: f64 = (1 << 20) as f64;
/// For a dispatcher with nothing to do to become calm.
const CALM: Duration = Duration::from_secs(3);
const SAMPLE_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Trouble {
    /// The endpoint is paused
    Paused,
    /// It accepts requests and never answers
    Silent,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What is wrong with the endpoint; left out: each
    #[arg(long, value_delimiter = ',')]
    troubles: Vec<Trouble>,
    /// Left out: both
    #[arg(long, value_delimiter = ',')]
    placements: Vec<Placement>,
    /// That wait
    #[arg(long, default_value_t = 200_000)]
    deliveries: u64,
    /// `dispatcher.max_buffered_bytes`, in MiB
    #[arg(long, default_value_t = 64)]
    max_buffered_mib: u64,
    /// How long the dispatcher is watched
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What a dispatcher may take beside `max_buffered_bytes` and what it has when idle, in MiB: the readers' prefetch (16
    /// MiB each for lanes, `returns` and dedicated topics), records on their way out, the allocator's slack
    #[arg(long, default_value_t = 128)]
    overhead_mib: u64,
    #[command(flatten)]
    results: results::Output,
}

/// One case's figures.
struct Measured {
    case: String,
    base_bytes: u64,
    peak_bytes: u64,
    last_bytes: u64,
    peak_buffered_bytes: u64,
    deferrals: u64,
    /// That ended.
    attempts: u64,
    /// That the endpoint's server saw.
    requests: u64,
    /// Deferred deliveries found in the retry topics, and those with more attempts counted than were made.
    deferred: u64,
    miscounted: u64,
}

/// Runs it, prints and writes the report.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let run = Run::begin("memory");
    let chosen = |given: &[Trouble]| match given.is_empty() {
        true => Trouble::value_variants().to_vec(),
        false => given.to_vec(),
    };
    let placements = match options.placements.is_empty() {
        true => Placement::value_variants().to_vec(),
        false => options.placements.clone(),
    };
    let mut all = Vec::new();
    for trouble in chosen(&options.troubles) {
        for placement in &placements {
            let measured = measure(&options, trouble, *placement).await?;
            eprintln!("{}", row(&measured, bound(&options, &measured)).trim_end());
            all.push(measured);
        }
    }
    let mut body = String::from(
        "| case | idle MiB | peak MiB | at the end MiB | bound MiB | peak of `hookline_buffered_bytes` MiB | deferrals | attempts ended | requests its server saw | deferred, read back | of them with too many attempts |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut line = "memory:".to_owned();
    let mut fine = true;
    for measured in &all {
        let bound = bound(&options, measured);
        body += &row(measured, bound);
        line += &format!(" {}={:.2}", measured.case, measured.peak_bytes as f64 / bound as f64);
        fine &= measured.peak_bytes <= bound && measured.miscounted == 0;
    }
    println!("{body}");
    body += &format!(
        "\n`{line}`\n\n{} deliveries with bodies of {} bytes wait; `dispatcher.max_buffered_bytes` is {} MiB. Resident memory of a dispatcher that\nstarts on them, watched for {} s. Bound: what one has when idle + `max_buffered_bytes` + {} MiB for the readers' prefetch,\nwhat is on its way out, and the allocator. In the last line: peak by bound.\n",
        options.deliveries,
        crate::body::BYTES,
        options.max_buffered_mib,
        options.seconds,
        options.overhead_mib,
    );
    let path = run.write(&options.results, &body)?;
    eprintln!("written to {}", path.display());
    println!("{line}");
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn bound(options: &Options, measured: &Measured) -> u64 {
    measured.base_bytes + ((options.max_buffered_mib + options.overhead_mib) << 20)
}

fn row(measured: &Measured, bound: u64) -> String {
    let mib = |bytes: u64| bytes as f64 / MIB;
    format!(
        "| {} | {:.0} | **{:.0}** | {:.0} | {:.0} | {:.1} | {} | {} | {} | {} | {} |\n",
        measured.case,
        mib(measured.base_bytes),
        mib(measured.peak_bytes),
        mib(measured.last_bytes),
        mib(bound),
        mib(measured.peak_buffered_bytes),
        measured.deferrals,
        measured.attempts,
        measured.requests,
        measured.deferred,
        measured.miscounted,
    )
}

/// An installation of its own: nothing of one case returns in another.
async fn measure(options: &Options, trouble: Trouble, placement: Placement) -> anyhow::Result<Measured> {
    let max_bytes = options.max_buffered_mib << 20;
    let settings = [("dispatcher.max_buffered_bytes", max_bytes.to_string())];
    let stage = Stage::start(Setting {
        name: "memory",
        lanes: FEW_LANES,
        settings: &settings,
        support: &["api", "scheduler", "fanout"],
    })
    .await?;
    let mut idle = stage.installation.serve("idle", &["dispatcher"]).await?;
    tokio::time::sleep(CALM).await;
    let base_bytes = machine::resident(idle.pid())?.now_bytes;
    idle.terminate().await?;

    let neighbour = Neighbour::start(Manner::Silent)?;
    let party = stage
        .party("waiting", neighbour.url(), placement, SHARD, |endpoint| {
            if trouble == Trouble::Paused {
                endpoint.status = "paused".to_owned();
            }
        })
        .await?;
    stage.publish(&party, 0, options.deliveries).await?;
    stage.until_written(&party, options.deliveries).await?;

    let mut dispatcher = stage.installation.serve("dispatcher", &["dispatcher"]).await?;
    let peak_buffered_bytes = watch(&dispatcher, Duration::from_secs(options.seconds)).await?;
    let metrics = dispatcher.metrics().await?;
    let resident = machine::resident(dispatcher.pid())?;
    dispatcher.kill9().await?;
    let (deferred, miscounted) = deferred(&stage, &neighbour).await?;
    let trouble = trouble.to_possible_value().context("none of them is hidden")?;
    let measured = Measured {
        case: format!("{}_{}", trouble.get_name(), placement.name()),
        base_bytes,
        peak_bytes: resident.peak_bytes,
        last_bytes: resident.now_bytes,
        peak_buffered_bytes,
        deferrals: counter(&metrics, "hookline_deferrals_total"),
        attempts: counter(&metrics, "hookline_attempt_seconds_count"),
        requests: neighbour.count(),
        deferred,
        miscounted,
    };
    stage.end().await?;
    Ok(measured)
}

/// The most that `hookline_buffered_bytes` says meanwhile.
async fn watch(dispatcher: &Process, time: Duration) -> anyhow::Result<u64> {
    let end = Instant::now() + time;
    let mut peak = 0;
    while Instant::now() < end {
        peak = peak.max(counter(&dispatcher.metrics().await?, "hookline_buffered_bytes"));
        tokio::time::sleep(SAMPLE_EVERY).await;
    }
    ensure!(
        machine::resident(dispatcher.pid()).is_ok(),
        "it has ended\n{}",
        dispatcher.log_tail()
    );
    Ok(peak)
}

/// Deferred deliveries in the retry topics, and how many of them count more attempts than their endpoint's server saw.
async fn deferred(stage: &Stage, neighbour: &Neighbour) -> anyhow::Result<(u64, u64)> {
    let (mut deferred, mut miscounted) = (0, 0);
    for tier in TIERS_SEC {
        let topic = stage.installation.names().retry(tier);
        for record in read_to_end(&stage.installation.connection(), &topic).await? {
            let Some(value) = &record.value else { continue };
            let delivery: Delivery = codec::decode(value, &OwnSchemas)?;
            if delivery.cause == "deferral" {
                deferred += 1;
                let made = neighbour.times(&delivery.delivery_id);
                miscounted += u64::from(delivery.attempts_made.unsigned_abs() > made);
            }
        }
    }
    Ok((deferred, miscounted))
}
