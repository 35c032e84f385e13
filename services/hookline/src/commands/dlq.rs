//! `hookline dlq`: dead letters, straight from their topic. What a replay does is the crate `replay`'s; here are the
//! flags, the progress and what is printed.

mod filter;
mod shown;

use crate::config::Config;
use crate::connect;
use crate::failure::{AlreadySaid, Usage};
use crate::output::{self, Output, OutputFlag};
use crate::progress::Progress;
use anyhow::{Context as _, bail};
use clap::Subcommand;
use filter::FilterFlags;
use kafka_log::Connection;
use replay::{Request, Scanned, Summary};
use serde_json::json;
use shown::Shown;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

/// After Ctrl-C, for the batch under way.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List dead letters
    List {
        #[command(flatten)]
        filter: FilterFlags,
        #[command(flatten)]
        output: OutputFlag,
    },
    /// Show one dead letter in full, with its attempts and its body
    Show {
        /// dlv_…
        id: String,
        #[command(flatten)]
        output: OutputFlag,
    },
    /// Send dead letters again; all that match, the rest stays
    Replay(Sweep),
    /// Write dead letters as JSON lines, complete
    Export {
        /// Where to; stdout when left out
        file: Option<PathBuf>,
        #[command(flatten)]
        filter: FilterFlags,
    },
    /// Remove dead letters for good
    Purge {
        #[command(flatten)]
        sweep: Sweep,
        /// Really all of them, when no filter is given
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, clap::Args)]
pub struct Sweep {
    #[command(flatten)]
    filter: FilterFlags,
    /// Only count; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Most dead letters a second
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<NonZeroU32>,
    #[command(flatten)]
    output: OutputFlag,
}

/// What a sweep does, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Replay,
    Purge,
}

pub async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let connection = connect::connection(config);
    match command {
        Command::List { filter, output } => list(&connection, &filter.filter()?, output.output).await,
        Command::Show { id, output } => show(&connection, &id, output.output).await,
        Command::Export { file, filter } => export(&connection, file, &filter.filter()?).await,
        Command::Replay(sweep) => sweep.run(&connection, Action::Replay).await,
        Command::Purge { sweep, all } => {
            if sweep.filter.is_empty() && !all && !sweep.dry_run {
                return Err(Usage::error(
                    "no filter was given, so this would remove every dead letter; add a filter, or --all if that is meant",
                ));
            }
            sweep.run(&connection, Action::Purge).await
        }
    }
}

async fn list(connection: &Connection, filter: &replay::Filter, output: Output) -> anyhow::Result<()> {
    let view = connect::ledger(connection, false).await?.view();
    let (mut rows, mut failed, mut progress) = (Vec::new(), None, Progress::new());
    let scanned = replay::scan(connection, &*view, filter, |entry| {
        let row = Shown::new(&entry);
        if output != Output::Jsonl {
            progress.show(|| format!("{} dead letters read", rows.len()));
            rows.push(row);
            return ControlFlow::Continue(());
        }
        // As it comes, so that a long list needs no memory.
        match output::list(output, &[row]) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })
    .await?;
    drop(progress);
    if let Some(error) = failed {
        return Err(error);
    }
    if output != Output::Jsonl {
        output::list(output, &rows)?;
    }
    note_unreadable(scanned.unreadable)
}

async fn show(connection: &Connection, id: &str, output: Output) -> anyhow::Result<()> {
    let view = connect::ledger(connection, false).await?.view();
    let Some(entry) = replay::show(connection, &*view, id).await? else {
        bail!(
            "{id} is not among the dead letters: it was delivered, replayed or purged, its time has passed, or it never died; `hookline dlq list` shows those that there are"
        );
    };
    output::one(output, &replay::to_json(&entry), &shown::in_full(&entry))
}

async fn export(connection: &Connection, file: Option<PathBuf>, filter: &replay::Filter) -> anyhow::Result<()> {
    let view = connect::ledger(connection, false).await?.view();
    let (mut out, name): (Box<dyn Write + Send>, _) = match &file {
        Some(path) => {
            let name = path.display().to_string();
            (
                Box::new(File::create(path).with_context(|| format!("can't write {name}"))?),
                name,
            )
        }
        None => (Box::new(std::io::stdout()), "stdout".to_owned()),
    };
    let mut buffered = BufWriter::new(&mut out);
    let Scanned { matched, unreadable } = replay::export(connection, &*view, filter, &mut buffered).await??;
    buffered.flush()?;
    eprintln!("{matched} dead letters written to {name}");
    note_unreadable(unreadable)
}

impl Sweep {
    async fn run(self, connection: &Connection, action: Action) -> anyhow::Result<()> {
        let mut request = Request::new(self.filter.filter()?, "cli");
        request.rate_per_sec = self.rate;
        request.dry_run = self.dry_run;
        let ledger = connect::ledger(connection, false).await?;
        let cancel = runtime::shutdown::on_signal(STOP_PATIENCE)?;
        let mut line = Progress::new();
        let progress = |progress: &replay::Progress| {
            line.show(|| {
                let replay::Progress {
                    partitions_done,
                    partitions,
                    matched,
                    done,
                    skipped,
                } = progress;
                format!(
                    "{done} of {matched} found so far, {skipped} skipped, {partitions_done} of {partitions} partitions"
                )
            });
        };
        let swept = match action {
            Action::Replay => Box::pin(replay::replay(connection, &ledger, &request, &cancel, progress)).await,
            Action::Purge => Box::pin(replay::purge(connection, &ledger, &request, &cancel, progress)).await,
        };
        drop(line);
        let summary = swept.context("what was done stays done; running it again goes on with what is left")?;
        self.conclude(&summary, action)
    }

    fn conclude(&self, summary: &Summary, action: Action) -> anyhow::Result<()> {
        let what = match (action, self.dry_run) {
            (Action::Replay, false) => "replayed",
            (Action::Replay, true) => "would be replayed",
            (Action::Purge, false) => "purged",
            (Action::Purge, true) => "would be purged",
        };
        let skipped: Vec<_> = summary
            .skipped
            .iter()
            .map(|(endpoint, skipped)| json!({"endpointId": endpoint, "count": skipped.count, "message": skipped.message}))
            .collect();
        let value = json!({
            "matched": summary.matched,
            "done": summary.done,
            "skipped": skipped,
            "unreadable": summary.unreadable,
            "dryRun": self.dry_run,
            "cancelled": summary.cancelled,
        });
        output::one(
            self.output.output,
            &value,
            &format!("{} dead letters {what}", summary.done),
        )?;
        for (endpoint, skipped) in &summary.skipped {
            eprintln!(
                "{} of endpoint {endpoint} were left where they are: {}",
                skipped.count, skipped.message
            );
        }
        if summary.cancelled {
            eprintln!("stopped before its end; run it again for the rest");
            return Err(AlreadySaid.into());
        }
        note_unreadable(summary.unreadable)
    }
}

fn note_unreadable(unreadable: u64) -> anyhow::Result<()> {
    if unreadable == 0 {
        return Ok(());
    }
    eprintln!("{unreadable} dead letters can't be read by this version and were left where they are; use a newer one");
    Err(AlreadySaid.into())
}
