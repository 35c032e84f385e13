//! Replay and purge: both take dead letters away, batch by batch, each batch in one transaction.

mod records;

use crate::{
    DeadLetterEntry, Error, Pace, Progress, Request, Skipped, Summary,
    partition::{DeadLetters, Live},
    scan,
    transact::transact_retrying,
};
use kafka_log::{Connection, TransactionalProducer};
use ledger::Ledger;
use records::{Action, Targets};
use runtime::CancellationToken;

/// Most bytes of bodies in one transaction.
const MAX_BATCH_BYTES: usize = 4 << 20;

/// Sends dead letters on their way again: a new generation, the same delivery id. What belongs to an endpoint that is
/// deleted or disabled is skipped. Calls `progress` after each batch; when cancelled, ends after the batch under way.
/// Running it again goes on with what is left.
pub async fn replay(
    connection: &Connection,
    ledger: &Ledger,
    request: &Request,
    cancel: &CancellationToken,
    progress: impl FnMut(&Progress) + Send,
) -> Result<Summary, Error> {
    sweep(connection, ledger, request, Action::Replay, cancel, progress).await
}

/// Removes dead letters for good.
pub async fn purge(
    connection: &Connection,
    ledger: &Ledger,
    request: &Request,
    cancel: &CancellationToken,
    progress: impl FnMut(&Progress) + Send,
) -> Result<Summary, Error> {
    sweep(connection, ledger, request, Action::Purge, cancel, progress).await
}

async fn sweep<P: FnMut(&Progress) + Send>(
    connection: &Connection,
    ledger: &Ledger,
    request: &Request,
    action: Action,
    cancel: &CancellationToken,
    progress: P,
) -> Result<Summary, Error> {
    // Endpoints are judged by what the ledger says at least as of now.
    ledger.barrier().await?;
    let letters = DeadLetters::open(connection).await?;
    let pace = Pace::new(request.rate_per_sec);
    let targets = Targets::find(connection, action, request.by.clone()).await?;
    let partitions = request.filter.partitions(letters.partitions);
    let counted = Progress {
        partitions: partitions.len(),
        ..Progress::default()
    };
    let mut sweep = Sweep {
        ledger,
        request,
        targets,
        pace,
        cancel,
        progress,
        counted,
        summary: Summary::default(),
    };
    for partition in partitions {
        if sweep.is_over() {
            break;
        }
        sweep.partition(connection, &letters, partition).await?;
        sweep.counted.partitions_done += 1;
        (sweep.progress)(&sweep.counted);
    }
    Ok(sweep.summary)
}

struct Sweep<'a, P> {
    ledger: &'a Ledger,
    request: &'a Request,
    targets: Targets,
    pace: Pace,
    cancel: &'a CancellationToken,
    progress: P,
    counted: Progress,
    summary: Summary,
}

impl<P: FnMut(&Progress) + Send> Sweep<'_, P> {
    fn is_over(&self) -> bool {
        self.summary.cancelled || self.request.filter.is_reached(self.summary.done)
    }

    async fn partition(&mut self, connection: &Connection, letters: &DeadLetters, partition: i32) -> Result<(), Error> {
        let mut producer = None;
        if !self.request.dry_run {
            // Another operator is fenced only where there is something to do.
            if !self.has_matches(letters, partition).await? {
                return Ok(());
            }
            let id = connection.names().replay_transaction(partition);
            producer = Some(TransactionalProducer::start(connection, &id).await?);
        }
        // After the start: what a predecessor did is visible now, and it can do nothing more.
        let mut live = letters.live(partition, &*self.ledger.view()).await?;
        while !self.is_over() {
            if self.cancel.is_cancelled() {
                self.summary.cancelled = true;
                return Ok(());
            }
            let batch = self.collect(&mut live).await?;
            if batch.is_empty() {
                return Ok(());
            }
            if let Some(producer) = &mut producer {
                let wait = self.pace.wait(batch.len());
                if self.cancel.run_until_cancelled(wait).await.is_none() {
                    self.summary.cancelled = true;
                    return Ok(());
                }
                self.commit(producer, &batch)
                    .await
                    .map_err(|error| taken_over(error, partition))?;
            }
            self.summary.done += batch.len() as u64;
            self.counted.done = self.summary.done;
            (self.progress)(&self.counted);
        }
        Ok(())
    }

    async fn has_matches(&self, letters: &DeadLetters, partition: i32) -> Result<bool, Error> {
        let view = self.ledger.view();
        let mut live = letters.live(partition, &*view).await?;
        while let Some(record) = live.next().await? {
            match scan::read(&record, &*view) {
                Some(entry) if !self.request.filter.matches(&entry.dead_letter) => {}
                // What can't be read is counted by the sweep itself.
                _ => return Ok(true),
            }
        }
        Ok(false)
    }

    /// The next dead letters to act upon; empty at the partition's end.
    async fn collect(&mut self, live: &mut Live<'_>) -> Result<Vec<DeadLetterEntry>, Error> {
        let view = self.ledger.view();
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < self.pace.batch as usize
            && bytes < MAX_BATCH_BYTES
            && !self.request.filter.is_reached(self.summary.done + batch.len() as u64)
            && let Some(record) = live.next().await?
        {
            let Some(entry) = scan::read(&record, &*view) else {
                self.summary.unreadable += 1;
                continue;
            };
            if !self.request.filter.matches(&entry.dead_letter) {
                continue;
            }
            self.summary.matched += 1;
            self.counted.matched = self.summary.matched;
            match self.targets.obstacle(&entry.dead_letter.delivery, &view) {
                Some(message) => self.skip(entry.dead_letter.delivery.endpoint_id, message),
                None => {
                    bytes += entry.dead_letter.delivery.body.len();
                    batch.push(entry);
                }
            }
        }
        Ok(batch)
    }

    fn skip(&mut self, endpoint_id: String, message: String) {
        self.counted.skipped += 1;
        let skipped = self
            .summary
            .skipped
            .entry(endpoint_id)
            .or_insert(Skipped { count: 0, message });
        skipped.count += 1;
    }

    async fn commit(&self, producer: &mut TransactionalProducer, batch: &[DeadLetterEntry]) -> Result<(), Error> {
        let mut records = Vec::with_capacity(batch.len() * 4);
        for entry in batch {
            self.targets.records(entry, runtime::clock::now_ms(), &mut records)?;
        }
        Ok(transact_retrying(producer, &records).await?)
    }
}

fn taken_over(error: Error, partition: i32) -> Error {
    match error {
        Error::Kafka(error) if error.is_fenced() => Error::TakenOver { partition },
        other => other,
    }
}
