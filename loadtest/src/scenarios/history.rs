//! The delivery log, on SQLite and on Postgres: whether the projection keeps up with a dispatcher at its full speed, how fast
//! it makes a lost database again, how long lists of deliveries take when there are millions, and the replay of an endpoint
//! as a job.

mod asking;
mod filling;
mod replaying;
mod speed;

use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;

use crate::results::{self, Run};

/// Where rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
        }
    }

    /// A new, empty database.
    async fn database(self, directory: &std::path::Path, name: &str) -> anyhow::Result<String> {
        match self {
            Self::Sqlite => Ok(format!("sqlite://{}", directory.join(format!("{name}.db")).display())),
            Self::Postgres => tokio::task::spawn_blocking(postgres_server::database)
                .await
                .context("it doesn't panic")?,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Databases; left out: both
    #[arg(long, value_delimiter = ',')]
    databases: Vec<Kind>,
    /// Deliveries that a dispatcher makes while they are projected
    #[arg(long, default_value_t = 100_000)]
    deliveries: u64,
    /// Rows that are there when lists are asked for
    #[arg(long, default_value_t = 5_000_000)]
    rows: usize,
    /// Seconds of each kind of question
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Clients at once
    #[arg(long, default_value_t = 4)]
    clients: usize,
    /// Dead deliveries that are replayed as a job
    #[arg(long, default_value_t = 100_000)]
    replays: u64,
    #[command(flatten)]
    results: results::Output,
}

/// Runs it, prints and writes the report.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let run = Run::begin("history");
    let kinds = match options.databases.is_empty() {
        true => Kind::value_variants().to_vec(),
        false => options.databases.clone(),
    };
    let (mut body, mut line) = (String::new(), String::from("history:"));
    for kind in kinds {
        let directory = tempfile::tempdir()?;
        let (text, figures) = one(&options, kind, directory.path()).await?;
        body.push_str(&text);
        line.push_str(&figures);
    }
    body.push_str(&format!("`{line}`\n"));
    println!("{body}");
    let path = run.write(&options.results, &body)?;
    eprintln!("written to {}", path.display());
    println!("{line}");
    Ok(ExitCode::SUCCESS)
}

async fn one(options: &Options, kind: Kind, directory: &std::path::Path) -> anyhow::Result<(String, String)> {
    let name = kind.name();
    eprintln!("{name}");
    let speed = speed::measure(kind, directory, options.deliveries).await?;
    eprintln!("{}", speed.text());
    let replayed = replaying::measure(kind, directory, options.replays).await?;
    eprintln!("{}", replayed.text());
    let lists = asking::measure(kind, directory, options).await?;
    let text = format!("## {name}\n\n{}\n{}\n{}\n", speed.text(), replayed.text(), lists.text());
    let short = name.to_lowercase();
    let figures = format!(
        " {short}_kept_up={:.2} {short}_rebuild_per_sec={:.0} {short}_worst_list_p99_ms={:.1} {short}_replay_per_sec={:.0}",
        speed.kept_up(),
        speed.rebuilt_per_sec(),
        lists.worst_p99_ms(),
        replayed.per_sec(),
    );
    Ok((text, figures))
}
