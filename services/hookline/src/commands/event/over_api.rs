//! Over `POST /webhooks/v1/events`, in batches, one after the other, so that events keep their order.

use super::lines::{self, Line, is_blank};
use super::{Counts, Send, conclude};
use crate::api::{self, As};
use crate::config::Config;
use crate::progress::Progress;
use anyhow::Context as _;
use api_client::Client;

/// Events in one request, and their bytes.
const BATCH: usize = 500;
const BATCH_BYTES: usize = 512 << 10;

/// Lines that make up a request.
#[derive(Default)]
struct Batch {
    numbers: Vec<u64>,
    body: Vec<u8>,
}

impl Batch {
    fn has_room_for(&self, line: &[u8]) -> bool {
        self.numbers.is_empty() || (self.numbers.len() < BATCH && self.body.len() + line.len() < BATCH_BYTES)
    }

    fn push(&mut self, (number, line): Line) {
        self.numbers.push(number);
        self.body.extend_from_slice(&line);
        self.body.push(b'\n');
    }
}

impl Send {
    pub(super) async fn over_api(&self, config: &Config) -> anyhow::Result<()> {
        let client = api::client(config, As::Tenant(self.tenant.as_deref()))?;
        let mut lines = lines::read(lines::open(self.file.as_deref())?);
        let mut sending = Sending {
            client,
            batch: Batch::default(),
            counts: Counts::default(),
        };
        let mut progress = Progress::new();
        while let Some(line) = lines.recv().await {
            let line = line.context("can't read the events any further; whole batches before were sent")?;
            if is_blank(&line.1) {
                continue;
            }
            if !sending.batch.has_room_for(&line.1) {
                sending.flush().await?;
                progress.show(|| format!("{} sent", sending.counts.sent));
            }
            sending.batch.push(line);
        }
        sending.flush().await?;
        drop(progress);
        conclude(&sending.counts, sending.client.url())
    }
}

struct Sending {
    client: Client,
    batch: Batch,
    counts: Counts,
}

impl Sending {
    /// Sends what was gathered. Repeats carry the same idempotency key, so nothing is published twice.
    async fn flush(&mut self) -> anyhow::Result<()> {
        let Batch { numbers, body } = std::mem::take(&mut self.batch);
        let Some(first) = numbers.first() else {
            return Ok(());
        };
        let key = uuid::Uuid::new_v4().to_string();
        let published = self.client.publish(body.into(), &key).await;
        if let (Err(error), [number]) = (&published, numbers.as_slice())
            && is_about_the_line(error)
        {
            eprintln!("line {number}: {error}");
            self.counts.bad += 1;
            return Ok(());
        }
        let results = published.with_context(|| {
            format!(
                "line {first} and what follows were not sent, as far as is known; {} events before were",
                self.counts.sent
            )
        })?;
        anyhow::ensure!(
            results.len() == numbers.len(),
            "the API gave {} results for {} lines, from line {first} on",
            results.len(),
            numbers.len()
        );
        for (number, result) in numbers.iter().zip(results) {
            match result {
                Ok(_) => self.counts.sent += 1,
                Err(refusal) => {
                    eprintln!("line {number}: {refusal}");
                    self.counts.bad += 1;
                }
            }
        }
        Ok(())
    }
}

/// Whether a request of one line was refused for what the line is.
fn is_about_the_line(error: &api_client::Error) -> bool {
    error
        .refusal()
        .is_some_and(|refusal| matches!(refusal.status, 400 | 413))
}
