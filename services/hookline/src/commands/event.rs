//! `hookline event`: publishes events to a source topic, one JSON text a line. A line that fan-out would reject is
//! reported with its number and not sent; the others are.

use crate::config::{Config, Source};
use crate::connect;
use crate::failure::{AlreadySaid, Usage};
use crate::output;
use crate::progress::Progress;
use anyhow::{Context as _, bail};
use clap::{Subcommand, ValueEnum};
use event_model::{Format, SourceRecord, SourceSettings};
use kafka_log::{Ack, Outgoing, Producer};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use tokio::sync::mpsc;

/// Records sent and not acknowledged yet.
const MAX_UNDER_WAY: usize = 5_000;
/// Lines read ahead.
const READ_AHEAD: usize = 1_000;
/// More than any event may have: a line without an end must not fill the memory.
const MAX_LINE_BYTES: u64 = 8 << 20;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send JSON lines from a file or stdin to a source topic, and wait until Kafka has them
    Send(Send),
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LineFormat {
    /// {"id","type","tenant","occurred_at","data"}
    #[value(name = "hookline_json", alias = "hookline")]
    HooklineJson,
    /// {"event_type","payload"}
    #[value(name = "event_payload")]
    EventPayload,
}

#[derive(Debug, clap::Args)]
pub struct Send {
    /// One JSON text a line; stdin when left out, or -
    file: Option<PathBuf>,
    /// Source topic; the first one of sources[] that takes the format when left out
    #[arg(long)]
    topic: Option<String>,
    /// What a line is
    #[arg(long, value_enum, default_value = "hookline_json")]
    format: LineFormat,
    /// Sets the header hookline-tenant, for a source whose tenant is a header
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Over the HTTP API instead (comes with a later version)
    #[arg(long)]
    http: bool,
}

pub async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let Command::Send(send) = command;
    send.run(config).await
}

/// A line and its number, from 1.
type Line = (u64, Vec<u8>);

/// What came of the lines.
#[derive(Debug, Default)]
struct Counts {
    sent: u64,
    bad: u64,
    failed: u64,
}

impl Send {
    async fn run(self, config: &Config) -> anyhow::Result<()> {
        if self.http {
            return Err(Usage::error(
                "--http comes with a later version; without it, events go straight to Kafka",
            ));
        }
        let source = self.source(config)?;
        let settings = SourceSettings {
            format: self.format.into(),
            tenant: source.tenant_from(),
            max_payload_bytes: config.delivery.max_payload_bytes,
        };
        let connection = connect::connection(config);
        // Asked first: a missing topic is one error, not one for each line.
        kafka_log::Watermarks::new(&connection)?
            .partitions(&source.topic)
            .await?;
        let producer = Producer::new(&connection)?;
        let mut lines = read_lines(self.open()?);
        let mut sending = Sending {
            producer,
            under_way: VecDeque::new(),
            counts: Counts::default(),
        };
        let mut progress = Progress::new();
        while let Some(line) = lines.recv().await {
            let (number, value) = line.context("can't read the events any further; those before were sent")?;
            match self.record(&source.topic, &settings, number, value) {
                Ok(Some(record)) => sending.send(number, &record).await?,
                Ok(None) => {}
                Err(message) => {
                    eprintln!("line {number}: {message}");
                    sending.counts.bad += 1;
                }
            }
            progress.show(|| format!("{} sent", sending.counts.sent));
        }
        sending.finish().await;
        drop(progress);
        conclude(&sending.counts, &source.topic)
    }

    /// The source that is written to, as far as it is configured.
    fn source(&self, config: &Config) -> anyhow::Result<Source> {
        let format: Format = self.format.into();
        let takes = |source: &Source| {
            source.format() == format || (source.format() == Format::Auto && format == Format::HooklineJson)
        };
        let sources = config.sources();
        let found = match &self.topic {
            Some(topic) => sources.into_iter().find(|source| source.topic == *topic),
            None => Some(sources.into_iter().find(takes).with_context(|| {
                format!("no source takes {format:?}: add one to sources[], or name a topic with --topic")
            })?),
        };
        match found {
            Some(source) if !takes(&source) => {
                bail!(
                    "source {} has the format {}, so fan-out would reject these; choose another --topic or --format",
                    source.topic,
                    source.format
                )
            }
            Some(source) => Ok(source),
            // Somebody else's configuration may read it.
            None => Ok(Source::default_of(self.topic.clone().unwrap_or_default())),
        }
    }

    fn open(&self) -> anyhow::Result<Box<dyn Read + std::marker::Send>> {
        match &self.file {
            Some(path) if path.as_os_str() != "-" => {
                let file = File::open(path).with_context(|| format!("can't read {}", path.display()))?;
                Ok(Box::new(file))
            }
            _ => Ok(Box::new(std::io::stdin())),
        }
    }

    /// The record of a line; `None` for a blank one, an error for what fan-out would reject.
    fn record(
        &self,
        topic: &str,
        settings: &SourceSettings,
        number: u64,
        value: Vec<u8>,
    ) -> Result<Option<Outgoing>, String> {
        if value.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        let header = self
            .tenant
            .iter()
            .map(|tenant| ("hookline-tenant".to_owned(), tenant.clone().into_bytes()));
        let headers: Vec<_> = header.collect();
        let as_read = SourceRecord {
            topic,
            partition: 0,
            offset: i64::try_from(number).unwrap_or(i64::MAX),
            timestamp_ms: runtime::clock::now_ms(),
            key: None,
            value: Some(&value),
            headers: &headers,
        };
        event_model::parse(&as_read, settings).map_err(|error| error.to_string())?;
        Ok(Some(Outgoing {
            topic: topic.to_owned(),
            partition: None,
            key: None,
            value: Some(value),
            headers,
        }))
    }
}

impl From<LineFormat> for Format {
    fn from(format: LineFormat) -> Self {
        match format {
            LineFormat::HooklineJson => Self::HooklineJson,
            LineFormat::EventPayload => Self::EventPayload,
        }
    }
}

/// Records under way, in the order of their lines.
struct Sending {
    producer: Producer,
    under_way: VecDeque<(u64, Ack)>,
    counts: Counts,
}

impl Sending {
    async fn send(&mut self, number: u64, record: &Outgoing) -> anyhow::Result<()> {
        if self.under_way.len() >= MAX_UNDER_WAY {
            self.settle_one().await;
        }
        match self.producer.send(record).await {
            Ok(ack) => self.under_way.push_back((number, ack)),
            Err(error) => {
                self.finish().await;
                bail!(
                    "line {number} and what follows were not sent, {} before it were: {error}",
                    self.counts.sent
                );
            }
        }
        Ok(())
    }

    async fn settle_one(&mut self) {
        let Some((number, ack)) = self.under_way.pop_front() else {
            return;
        };
        match ack.await {
            Ok(_) => self.counts.sent += 1,
            Err(error) => {
                eprintln!("line {number}: not sent: {error}");
                self.counts.failed += 1;
            }
        }
    }

    async fn finish(&mut self) {
        while !self.under_way.is_empty() {
            self.settle_one().await;
        }
    }
}

fn conclude(counts: &Counts, topic: &str) -> anyhow::Result<()> {
    output::line(format!("{} events sent to {topic}", counts.sent))?;
    if counts.bad > 0 {
        eprintln!(
            "{} lines are no events and were not sent; correct them and send those lines again",
            counts.bad
        );
    }
    if counts.failed > 0 {
        eprintln!(
            "{} events were not acknowledged and may be missing; send those lines again",
            counts.failed
        );
    }
    if counts.bad + counts.failed > 0 {
        Err(AlreadySaid.into())
    } else {
        Ok(())
    }
}

/// Reads on a thread of its own, because stdin blocks. Ends after the first error.
fn read_lines(from: Box<dyn Read + std::marker::Send>) -> mpsc::Receiver<std::io::Result<Line>> {
    let (sink, lines) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(from);
        for number in 1.. {
            let line = read_line(&mut reader).transpose();
            let Some(line) = line else { return };
            let ended = line.is_err();
            if sink.blocking_send(line.map(|line| (number, line))).is_err() || ended {
                return;
            }
        }
    });
    lines
}

/// The next line without its end; what is beyond [`MAX_LINE_BYTES`] is read and dropped. `None` at the end.
fn read_line(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else {
        reader.skip_until(b'\n')?;
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_numbered_and_a_long_one_does_not_swallow_the_next() {
        let long = "x".repeat(usize::try_from(MAX_LINE_BYTES).expect("it fits") + 10);
        let text = format!("a\r\n\n{long}\nlast");
        let mut lines = read_lines(Box::new(std::io::Cursor::new(text)));
        let mut read = Vec::new();
        while let Some(line) = lines.recv().await {
            let (number, line) = line.expect("memory can be read");
            read.push((number, line.len()));
        }
        assert_eq!(
            read,
            [
                (1, 1),
                (2, 0),
                (3, usize::try_from(MAX_LINE_BYTES).expect("it fits")),
                (4, 4)
            ]
        );
    }
}
