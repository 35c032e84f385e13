//! The file of a scenario's figures, `<date>-<scenario>.md`: what was run, on what, under which load, and what came out.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::machine;

/// Where the report is written, and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Output {
    /// Where the report is written
    #[arg(long, default_value = "loadtest/results")]
    results: PathBuf,
    /// Add to the day's report instead of writing over it
    #[arg(long)]
    append: bool,
    /// A sentence for the report, such as what else the machine did
    #[arg(long)]
    note: Option<String>,
}

/// A run that has begun.
#[derive(Debug)]
pub(crate) struct Run {
    scenario: &'static str,
    began: OffsetDateTime,
    load: String,
}

impl Run {
    pub(crate) fn begin(scenario: &'static str) -> Self {
        Self {
            scenario,
            began: OffsetDateTime::now_utc(),
            load: machine::load(),
        }
    }

    /// Writes the report around `body`, Markdown. Says where.
    pub(crate) fn write(&self, options: &Output, body: &str) -> anyhow::Result<PathBuf> {
        let date = self.began.format(format_description!("[year]-[month]-[day]"))?;
        let time = self.began.format(format_description!("[hour]:[minute]"))?;
        let dir: &Path = &options.results;
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let path = dir.join(format!("{date}-{}.md", self.scenario));
        let continues = options.append && path.exists();
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .append(continues)
            .truncate(!continues)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let note = options
            .note
            .as_deref()
            .map(|note| format!("{note}\n"))
            .unwrap_or_default();
        write!(
            file,
            "{}# {date} {time} UTC: {}\n\n`cargo xtask loadtest {}`, release build {}, on {}.\nLoad averages at the beginning {}, at the end {}.\n{note}\n{body}",
            if continues { "\n#" } else { "" },
            self.scenario,
            arguments.join(" "),
            env!("CARGO_PKG_VERSION"),
            machine::describe(),
            self.load,
            machine::load(),
        )?;
        Ok(path)
    }
}
