//! Moves what is due on, in one transaction with the offsets it came from.

use crate::{
    Error,
    queue::{Content, Due},
};
use delivery_core::{
    murmur2,
    tier::{Hop, next_hop},
};
use kafka_log::{Commit, Connection, Membership, Names, Outgoing, Record, Transaction, TransactionalProducer};
use runtime::{CancellationToken, clock::now_ms, crash_point};
use schemas::{Delivery, Rejected, Source};
use std::{sync::Arc, time::Duration};

/// Partitions of every retry topic.
pub(crate) const RETRY_PARTITIONS: i32 = 8;
/// Most records of one transaction.
pub(crate) const MAX_RECORDS: usize = 1000;
const REJECTED_PARTITIONS: i32 = 4;
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// The same while brokers refuse what somebody has to mend.
const REFUSED_PAUSE: Duration = Duration::from_secs(2);

/// Writes the transactions of one partition.
pub(crate) struct Mover {
    producer: TransactionalProducer,
    membership: Arc<Membership>,
    names: Names,
    lanes: i32,
}

enum Failure {
    /// The transaction has come to nothing for certain: the same batch may be tried again.
    Again(Error),
    /// What became of it only a new producer can tell.
    Restart(Error),
}

/// A record's way on.
struct Move {
    outgoing: Outgoing,
    /// When it was due, Unix milliseconds, if it waits no longer.
    released: Option<i64>,
}

impl Mover {
    /// Fences the predecessor of this partition and aborts what it left hanging.
    pub(crate) async fn start(
        connection: &Connection,
        membership: Arc<Membership>,
        partition: i32,
        lanes: i32,
    ) -> Result<Self, Error> {
        let names = connection.names().clone();
        let producer = TransactionalProducer::start(connection, &names.scheduler_transaction(partition)).await?;
        Ok(Self {
            producer,
            membership,
            names,
            lanes,
        })
    }

    /// Moves all of `batch` on and commits `offsets`. After an error nothing is known: start again from what is
    /// committed. Cancelling it ends it at the next failure.
    pub(crate) async fn commit(
        &mut self,
        batch: &[Due],
        offsets: &[Commit],
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        loop {
            match self.try_commit(batch, offsets).await {
                Ok(()) => return Ok(()),
                Err(Failure::Restart(error)) => return Err(error),
                Err(Failure::Again(error)) if cancel.is_cancelled() => return Err(error),
                Err(Failure::Again(error)) => {
                    let pause = pause_after(&error, batch.len());
                    let _ = cancel.run_until_cancelled(tokio::time::sleep(pause)).await;
                }
            }
        }
    }

    async fn try_commit(&mut self, batch: &[Due], offsets: &[Commit]) -> Result<(), Failure> {
        let now_ms = now_ms();
        let moves: Vec<Move> = batch
            .iter()
            .map(|due| self.next(due, now_ms))
            .collect::<Result<_, _>>()
            .map_err(|e| Failure::Restart(e.into()))?;
        let transaction = self
            .producer
            .begin()
            .await
            .map_err(|error| Failure::Restart(error.into()))?;
        crash_point("scheduler.after_begin");
        if let Err(error) = fill(&transaction, &moves, offsets, &self.membership).await {
            // Only the transaction itself tells whether this producer is finished; a record's own error doesn't.
            transaction
                .abort()
                .await
                .map_err(|error| Failure::Restart(error.into()))?;
            return Err(if error.is_fenced() {
                Failure::Restart(error.into())
            } else {
                Failure::Again(error.into())
            });
        }
        transaction.commit().await.map_err(|error| match error {
            kafka_log::Error::Aborted(_) => Failure::Again(error.into()),
            _ => Failure::Restart(error.into()),
        })?;
        crash_point("scheduler.after_commit");
        measure(&moves);
        Ok(())
    }

    fn next(&self, due: &Due, now_ms: i64) -> Result<Move, schemas::EncodeError> {
        match &due.content {
            Content::Delivery(delivery) => self.on(&due.record, (**delivery).clone(), now_ms),
            Content::Unreadable(message) => Ok(Move {
                outgoing: self.aside(&due.record, message.clone(), now_ms)?,
                released: None,
            }),
        }
    }

    fn on(&self, record: &Record, mut delivery: Delivery, now_ms: i64) -> Result<Move, schemas::EncodeError> {
        let endpoint = delivery.endpoint_id.clone().into_bytes();
        let (topic, partitions, released) =
            match next_hop(now_ms, delivery.due_at_ms, delivery.wait_since_ms, delivery.hops) {
                Hop::Release => {
                    let due_at_ms = delivery.due_at_ms;
                    release(&mut delivery);
                    (self.names.returns(), self.lanes, Some(due_at_ms))
                }
                Hop::Tier(tier_sec) => {
                    wait_on(&mut delivery, record.timestamp_ms);
                    (self.names.retry(tier_sec), RETRY_PARTITIONS, None)
                }
            };
        let partition = murmur2::partition(&endpoint, partitions);
        let mut outgoing = Outgoing::new(topic, partition, endpoint, schemas::encode(&delivery)?);
        outgoing.headers = record
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.to_vec()))
            .collect();
        Ok(Move { outgoing, released })
    }

    /// A record that is no delivery at all, as the dispatcher puts one aside.
    fn aside(&self, record: &Record, message: String, now_ms: i64) -> Result<Outgoing, schemas::EncodeError> {
        let value = record.value.as_deref().unwrap_or_default();
        let key = record.key.as_deref().unwrap_or_default();
        let origin = Source {
            topic: record.topic.to_string(),
            partition: record.partition,
            offset: record.offset,
        };
        let rejected = Rejected::unreadable(origin, message, value, now_ms);
        let partition = murmur2::partition(key, REJECTED_PARTITIONS);
        Ok(Outgoing::new(
            self.names.rejected(),
            partition,
            key,
            schemas::encode(&rejected)?,
        ))
    }
}

fn pause_after(error: &Error, records: usize) -> Duration {
    if let Error::Kafka(refused) = error
        && refused.is_refusal()
    {
        refused.raise("deliveries that are due can't be moved on");
        return REFUSED_PAUSE;
    }
    tracing::warn!(%error, records, "releasing is tried again");
    RETRY_PAUSE
}

async fn fill(
    transaction: &Transaction<'_>,
    moves: &[Move],
    offsets: &[Commit],
    membership: &Membership,
) -> Result<(), kafka_log::Error> {
    let mut acks = Vec::with_capacity(moves.len());
    for moved in moves {
        acks.push(transaction.send(&moved.outgoing).await?);
    }
    for ack in acks {
        ack.await?;
    }
    crash_point("scheduler.after_produce");
    transaction
        .commit_offsets(offsets, membership.group_metadata()?)
        .await?;
    crash_point("scheduler.after_offsets");
    Ok(())
}

/// It waits no longer.
fn release(delivery: &mut Delivery) {
    delivery.due_at_ms = 0;
    delivery.wait_since_ms = 0;
    delivery.hops = 0;
}

/// One retry topic of its wait has been passed.
fn wait_on(delivery: &mut Delivery, appended_ms: i64) {
    if delivery.wait_since_ms <= 0 {
        delivery.wait_since_ms = appended_ms;
    }
    delivery.hops = delivery.hops.saturating_add(1);
}

fn measure(moves: &[Move]) {
    let now_ms = now_ms();
    for due_at_ms in moves.iter().filter_map(|moved| moved.released) {
        let late_ms = u32::try_from(now_ms - due_at_ms).unwrap_or(0);
        metrics::histogram!("hookline_retry_lateness_seconds").record(f64::from(late_ms) / 1000.0);
        metrics::counter!("hookline_retry_released_total").increment(1);
    }
}
