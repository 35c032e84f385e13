//! Moves what is due on, in one transaction with the offsets it came from.

use crate::{Error, queue::Due};
use delivery_core::{
    murmur2,
    tier::{Hop, next_hop},
};
use kafka_log::{
    Commit, Connection, Membership, Names, Outgoing, RETRY_TIERS_SEC, TopicPartition, Transaction,
    TransactionalProducer,
};
use runtime::{CancellationToken, clock::now_ms, crash_point};
use schemas::Delivery;
use std::{sync::Arc, time::Duration};

/// Partitions of every retry topic.
pub(crate) const RETRY_PARTITIONS: i32 = 8;
/// Most records of one transaction.
pub(crate) const MAX_RECORDS: usize = 1000;
const RETRY_PAUSE: Duration = Duration::from_millis(200);

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
    released: bool,
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
                    tracing::warn!(%error, records = batch.len(), "releasing is tried again");
                    tokio::time::sleep(RETRY_PAUSE).await;
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
        measure(batch, &moves);
        Ok(())
    }

    fn next(&self, due: &Due, now_ms: i64) -> Result<Move, schemas::EncodeError> {
        let mut delivery = due.delivery.clone();
        let endpoint = delivery.endpoint_id.clone().into_bytes();
        let (topic, partitions, released) =
            match next_hop(now_ms, delivery.due_at_ms, delivery.wait_since_ms, delivery.hops) {
                Hop::Release => {
                    release(&mut delivery);
                    (self.names.returns(), self.lanes, true)
                }
                Hop::Tier(tier_sec) => {
                    wait_on(&mut delivery, due.record.timestamp_ms);
                    (self.names.retry(tier_sec), RETRY_PARTITIONS, false)
                }
            };
        let partition = murmur2::partition(&endpoint, partitions);
        let mut outgoing = Outgoing::new(topic, partition, endpoint, schemas::encode(&delivery)?);
        outgoing.headers = due
            .record
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.to_vec()))
            .collect();
        Ok(Move { outgoing, released })
    }
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

/// The offsets that a batch answers: one for each tier in it.
pub(crate) fn offsets(batch: &[Due], partition: i32) -> Vec<Commit> {
    let mut last: [Option<&Due>; RETRY_TIERS_SEC.len()] = [None; RETRY_TIERS_SEC.len()];
    for due in batch {
        last[due.tier] = Some(due);
    }
    last.into_iter()
        .flatten()
        .map(|due| Commit {
            partition: TopicPartition::new(due.record.topic.clone(), partition),
            offset: due.record.offset + 1,
            metadata: String::new(),
        })
        .collect()
}

fn measure(batch: &[Due], moves: &[Move]) {
    let now_ms = now_ms();
    for (due, _) in batch.iter().zip(moves).filter(|(_, moved)| moved.released) {
        let late_ms = u32::try_from(now_ms - due.delivery.due_at_ms).unwrap_or(0);
        metrics::histogram!("hookline_retry_lateness_seconds").record(f64::from(late_ms) / 1000.0);
        metrics::counter!("hookline_retry_released_total").increment(1);
    }
}
