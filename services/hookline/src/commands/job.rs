//! `hookline endpoint replay` and `hookline job`: long work that goes on in the installation, over the HTTP API.

use super::TenantFlag;
use crate::api::{self, As};
use crate::config::Config;
use crate::output::{self, OutputFlag};
use crate::progress::Progress;
use crate::when;
use anyhow::bail;
use api_client::{Client, Job, ReplayWanted};
use clap::Subcommand;
use serde_json::json;
use std::time::Duration;

/// How often it is asked how far a job is.
const ASK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show how far a job is
    Show(Which),
    /// Wait until a job has ended; exit status 1 when it failed
    Wait(Which),
    /// End a job after what is under way; what was sent stays sent
    Cancel(Which),
}

#[derive(Debug, clap::Args)]
pub struct Which {
    /// job_…
    id: String,
    #[command(flatten)]
    tenant: TenantFlag,
    #[command(flatten)]
    output: OutputFlag,
}

#[derive(Debug, clap::Args)]
pub struct Replay {
    /// wh_…
    id: String,
    /// Which: those that failed; those that match now and were never sent to it; or all
    #[arg(long, value_parser = ["failed", "missing", "all"], default_value = "failed")]
    only: String,
    /// Made at or after this: a time (2026-11-21T10:00:00Z), or so long ago (90s, 15m, 2h, 7d)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Made before this
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Events of these types alone
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    event_type: Vec<String>,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    /// Most a second; as fast as it goes when left out
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: Option<u32>,
    /// Print the job and don't wait for its end
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    tenant: TenantFlag,
    #[command(flatten)]
    output: OutputFlag,
}

fn client(config: &Config, tenant: &TenantFlag) -> anyhow::Result<Client> {
    api::client(config, As::Tenant(tenant.tenant.as_deref()))
}

pub async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Show(which) => {
            let job = client(config, &which.tenant)?.job(&which.id).await?;
            show(&which.output, &job)
        }
        Command::Wait(which) => {
            let client = client(config, &which.tenant)?;
            let job = client.job(&which.id).await?;
            conclude(&which.output, &wait(&client, job).await?)
        }
        Command::Cancel(which) => {
            let job = client(config, &which.tenant)?.cancel_job(&which.id).await?;
            show(&which.output, &job)
        }
    }
}

/// `hookline endpoint replay`
pub async fn replay(replay: &Replay, config: &Config) -> anyhow::Result<()> {
    let wanted = ReplayWanted {
        since: when::to_rfc3339("--since", replay.since.as_deref())?,
        until: when::to_rfc3339("--until", replay.until.as_deref())?,
        event_types: (!replay.event_type.is_empty()).then(|| replay.event_type.clone()),
        only: Some(replay.only.clone()),
        dry_run: replay.dry_run,
        rate_per_second: replay.rate,
    };
    let client = client(config, &replay.tenant)?;
    let job = client.replay_endpoint(&replay.id, &wanted).await?;
    if replay.detach {
        return show(&replay.output, &job);
    }
    conclude(&replay.output, &wait(&client, job).await?)
}

/// Until it has ended. Ctrl-C leaves it running.
async fn wait(client: &Client, mut job: Job) -> anyhow::Result<Job> {
    let mut progress = Progress::new();
    while job.status == "running" {
        progress.show(|| match job.total {
            0 => format!("{}: counting", job.id),
            total => format!("{}: {} of {total} ({} %)", job.id, job.done, job.done * 100 / total),
        });
        tokio::time::sleep(ASK_EVERY).await;
        job = client.job(&job.id).await?;
    }
    Ok(job)
}

fn conclude(output: &OutputFlag, job: &Job) -> anyhow::Result<()> {
    show(output, job)?;
    if job.status == "failed" {
        bail!(
            "{} has failed; what it sent stays sent, and the same replay can be started again",
            job.id
        );
    }
    Ok(())
}

fn show(output: &OutputFlag, job: &Job) -> anyhow::Result<()> {
    output::one(output.output, &json!({ "job": job }), &told(job))
}

fn told(job: &Job) -> String {
    let Job {
        id,
        status,
        total,
        done,
        gone,
        ..
    } = job;
    let mut text = match (job.dry_run, status.as_str()) {
        (true, "done") => format!("{total} deliveries would be sent\n"),
        _ => format!("job {id} is {status}: {done} of {total} deliveries sent\n"),
    };
    if *gone > 0 {
        text.push_str(&format!("{gone} are past their retention and can't be sent any more\n"));
    }
    if let Some(error) = &job.error {
        text.push_str(&format!("{error}\n"));
    }
    text
}
