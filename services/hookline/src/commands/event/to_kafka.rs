//! Straight to a source topic: what fan-out would reject is reported and not sent.

use super::lines::{self, is_blank};
use super::{Counts, LineFormat, Send, conclude};
use crate::config::{Config, Source};
use crate::connect;
use crate::progress::Progress;
use anyhow::{Context as _, bail};
use event_model::{Format, SourceRecord, SourceSettings};
use kafka_log::{Ack, Outgoing, Producer};
use std::collections::VecDeque;

/// Records sent and not acknowledged yet.
const MAX_UNDER_WAY: usize = 5_000;

impl Send {
    pub(super) async fn to_kafka(&self, config: &Config) -> anyhow::Result<()> {
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
        let mut lines = lines::read(lines::open(self.file.as_deref())?);
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

    /// The record of a line; `None` for a blank one, an error for what fan-out would reject.
    fn record(
        &self,
        topic: &str,
        settings: &SourceSettings,
        number: u64,
        value: Vec<u8>,
    ) -> Result<Option<Outgoing>, String> {
        if is_blank(&value) {
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
