//! `cargo xtask demo`: the main job on real input. Tenants and endpoints are made over the HTTP API. Events go to Kafka by a
//! plain producer, some by HTTP, and arrive as signed HTTP requests at receivers that are fast, slow, limited, flaky,
//! rejecting, gone, down; what died is replayed, and the delivery log tells of all of it. The last line is for scripts. What is expected is worked out here, by a matcher of the demo's own.

mod api;
mod broken;
mod cast;
mod catalog;
mod disabling;
mod events;
mod history;
mod making;
mod matcher;
mod posting;
mod publishing;
mod stage;
mod table;
mod verdict;
mod watch;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use stage::Stage;
use tokio::signal::unix::{SignalKind, signal};
use verdict::Verdict;

/// How long the deliveries may take, and how long the replayed ones.
const ARRIVAL: Duration = Duration::from_secs(90);
const REPLAY_ARRIVAL: Duration = Duration::from_secs(45);

#[tokio::main]
async fn main() -> ExitCode {
    let ended = tokio::select! {
        ended = Box::pin(run()) => ended,
        interrupted = interrupted() => interrupted.and_then(|()| anyhow::bail!("interrupted")),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn interrupted() -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Plays it; true when all was as it should be.
async fn run() -> anyhow::Result<bool> {
    let begin = Instant::now();
    println!("Hookline demo: real Kafka, real processes, real HTTP receivers, all on this machine.\n");
    let mut stage = Stage::set().await?;
    match play(&mut stage).await {
        Ok(verdict) => {
            verdict.explain();
            stage.strike(verdict.is_good()).await?;
            println!("Took {} s.", begin.elapsed().as_secs());
            println!("{}", verdict.line());
            Ok(verdict.is_good())
        }
        Err(error) => {
            stage.keep_logs();
            Err(error)
        }
    }
}

async fn play(stage: &mut Stage) -> anyhow::Result<Verdict> {
    let plan = events::plan();
    println!(
        "\nPublishing {} events to Kafka with a plain producer: all {} types of the catalogs, in four formats, in every\n\
         codec; and {} records that are broken on purpose, which must end up in the topic `rejected`. Beside them {} events\n\
         by POST /webhooks/v1/events: singly, as JSON lines and as a JSON array.\n",
        plan.events.len(),
        plan.types(),
        plan.broken.len(),
        plan.posted.len(),
    );
    let (mut published, posted) = tokio::try_join!(
        publishing::publish(stage, plan.events, &plan.broken),
        posting::post(stage, plan.posted),
    )?;
    published.events.extend(posted);
    let expected = matcher::expected(&published.events, &stage.endpoints);
    let watch = watch::Watch::start(stage, expected, published.broken.len()).await?;
    let arrived = table::show_until(stage, &watch, ARRIVAL, watch::Watch::is_settled).await?;
    if !arrived {
        println!(
            "Not everything arrived within {} s; what is missing is counted below.",
            ARRIVAL.as_secs()
        );
    }
    let mut wrong = disabling::check(stage).await?;
    if let Err(error) = replay(stage, &watch).await {
        wrong.push(format!("the replay failed: {error:#}"));
    }
    wrong.extend(history::show(stage, &watch.expected).await?);
    wrong.extend(stage.end_processes().await);
    Verdict::reach(stage, &watch, &published, wrong).await
}

/// Repairs what was down over the API and replays its dead letters with the real command.
async fn replay(stage: &Stage, watch: &watch::Watch) -> anyhow::Result<()> {
    let down = stage
        .endpoints
        .iter()
        .position(|endpoint| endpoint.plan.down)
        .context("one endpoint is down")?;
    let endpoint = &stage.endpoints[down];
    let id = &endpoint.id;
    println!(
        "\nThe endpoint `{}` was unreachable; its deliveries ran out of retries and wait as dead letters, complete.\n\
         Its receiver is elsewhere now. PATCH /webhooks/v1/endpoints/{id} {{\"url\":\"{}\"}}\n\
         $ hookline dlq replay --endpoint {id}",
        endpoint.plan.name,
        endpoint.hook.url(),
    );
    stage.repair(endpoint).await?;
    let said = stage
        .installation()
        .hookline(["dlq", "replay", "--endpoint", id])
        .await?;
    println!("{}\n", said.trim());
    let arrived = table::show_until(stage, watch, REPLAY_ARRIVAL, |watch| watch.is_delivered(down)).await?;
    if !arrived {
        println!(
            "Not every replayed delivery arrived within {} s.",
            REPLAY_ARRIVAL.as_secs()
        );
    }
    Ok(())
}
