//! `hookline ledger`: backup of the configuration, over the operator's API or, with `--direct`, over Kafka. What is in it,
//! and what an import takes, is `ledger::backup`'s business.

use super::DirectFlag;
use crate::api::{self, As};
use crate::config::Config;
use crate::connect::{self, Direct};
use crate::output::{self, OutputFlag};
use crate::progress::Progress;
use anyhow::Context as _;
use api_client::{ImportOptions, Imported};
use clap::Subcommand;
use ledger::backup::{self, Backup};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write tenants, keys, endpoints and event types as JSON lines; secrets stay encrypted with secrets.key
    Export {
        /// Where to; stdout when left out, or -
        file: Option<PathBuf>,
        #[command(flatten)]
        direct: DirectFlag,
    },
    /// Make what an export holds, with the ids that it had; what is here and not in it stays
    Import(Import),
}

#[derive(Debug, clap::Args)]
pub struct Import {
    /// An export; stdin when left out, or -
    file: Option<PathBuf>,
    /// Overwrite what is here and differs; without it, nothing is imported when anything does
    #[arg(long)]
    replace: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    direct: DirectFlag,
    #[command(flatten)]
    output: OutputFlag,
}

pub async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Export { file, direct } => {
            let mut sink = Sink::open(file.as_deref())?;
            let exported = if direct.direct {
                export_direct(config, &mut sink).await
            } else {
                let client = api::client(config, As::Operator)?;
                let written = client.export_ledger(&mut sink).await;
                written
                    .map_err(anyhow::Error::from)
                    .and_then(|written| Ok(written.map(drop)?))
            };
            match exported {
                Ok(()) => sink.finish(),
                Err(error) => {
                    sink.discard();
                    Err(error)
                }
            }
        }
        Command::Import(import) => import.run(config).await,
    }
}

async fn export_direct(config: &Config, sink: &mut Sink) -> anyhow::Result<()> {
    let ledger = connect::ledger(&connect::connection(config), true).await?;
    let view = ledger.barrier().await.context("can't read the ledger to its end")?;
    for line in backup::export(&view, runtime::clock::now_ms()) {
        writeln!(sink, "{line}")?;
    }
    Ok(())
}

impl Import {
    async fn run(self, config: &Config) -> anyhow::Result<()> {
        let text = read(self.file.as_deref())?;
        // Read here too: what is no export needn't travel.
        let parsed = Backup::read(&text)?;
        let options = ImportOptions {
            replace: self.replace,
            dry_run: self.dry_run,
        };
        let imported = if self.direct.direct {
            import_direct(config, &parsed, options).await?
        } else {
            let client = api::client(config, As::Operator)?;
            client.import_ledger(text.into(), options).await?
        };
        let Imported {
            created,
            replaced,
            unchanged,
        } = imported;
        let what = if self.dry_run { "would be " } else { "" };
        let text =
            format!("{created} entities {what}created, {replaced} {what}replaced, {unchanged} are as they should be\n");
        output::one(self.output.output, &imported, &text)
    }
}

async fn import_direct(config: &Config, parsed: &Backup, options: ImportOptions) -> anyhow::Result<Imported> {
    parsed.check_secrets(&connect::keyring(config)?)?;
    let direct = Direct::start(config).await?;
    let mut progress = Progress::new();
    let shown = |done: usize, total: usize| progress.show(|| format!("{done} of {total} imported"));
    let options = backup::ImportOptions {
        replace: options.replace,
        dry_run: options.dry_run,
    };
    let imported = backup::import(&direct.ledger, &direct.writer, parsed, options, shown).await;
    drop(progress);
    let imported = imported?;
    Ok(Imported {
        created: imported.created,
        replaced: imported.replaced,
        unchanged: imported.unchanged,
    })
}

fn read(file: Option<&Path>) -> anyhow::Result<String> {
    let mut text = String::new();
    match file {
        Some(path) if path.as_os_str() != "-" => {
            let open = File::open(path).and_then(|mut file| file.read_to_string(&mut text));
            open.with_context(|| format!("can't read {}", path.display()))?;
        }
        _ => drop(io::stdin().read_to_string(&mut text).context("can't read stdin")?),
    }
    Ok(text)
}

/// Stdout, or a file that gets its name only when it is whole.
enum Sink {
    Stdout(BufWriter<io::Stdout>),
    File {
        out: BufWriter<File>,
        path: PathBuf,
        partial: PathBuf,
    },
}

impl Sink {
    fn open(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = file.filter(|path| path.as_os_str() != "-") else {
            return Ok(Self::Stdout(BufWriter::new(io::stdout())));
        };
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        // Hashes of keys and encrypted secrets are in it: for its owner alone.
        let out = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)
            .with_context(|| format!("can't write {}", partial.display()))?;
        Ok(Self::File {
            out: BufWriter::new(out),
            path: path.to_owned(),
            partial,
        })
    }

    fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Stdout(mut out) => Ok(out.flush()?),
            Self::File { out, path, partial } => {
                let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.sync_all()
                    .and_then(|()| std::fs::rename(&partial, &path))
                    .with_context(|| format!("can't write {}", path.display()))?;
                eprintln!("written to {}", path.display());
                Ok(())
            }
        }
    }
}

impl Sink {
    /// Leaves nothing of what broke off.
    fn discard(self) {
        if let Self::File { partial, .. } = self {
            // It may never have been written.
            let _ = std::fs::remove_file(partial);
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File { out, .. } => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File { out, .. } => out.flush(),
        }
    }
}
