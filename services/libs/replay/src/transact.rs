//! One transaction of records.

use kafka_log::{Outgoing, Transaction, TransactionalProducer};
use runtime::crash_point;
use std::time::Duration;

/// Tries of a transaction that is aborted again and again.
const TRIES: u32 = 10;
const RETRY: Duration = Duration::from_millis(200);

/// Like [`transact`]; tries again what has certainly come to nothing.
///
/// # Errors
/// Those of [`transact`], [`kafka_log::Error::Aborted`] after the last try.
pub async fn transact_retrying(
    producer: &mut TransactionalProducer,
    records: &[Outgoing],
) -> Result<(), kafka_log::Error> {
    let mut tries = 1;
    loop {
        match transact(producer, records).await {
            Err(kafka_log::Error::Aborted(reason)) if tries < TRIES => {
                tracing::warn!(reason, "a batch of replays is tried again");
                tries += 1;
                tokio::time::sleep(RETRY).await;
            }
            result => return result,
        }
    }
}

/// Writes all of them or none.
///
/// # Errors
/// [`kafka_log::Error::Aborted`] when it has certainly come to nothing and may be tried again; any other error leaves the
/// outcome open, and the producer finished.
pub async fn transact(producer: &mut TransactionalProducer, records: &[Outgoing]) -> Result<(), kafka_log::Error> {
    let transaction = producer.begin().await?;
    crash_point("replay.after_begin");
    if let Err(error) = produce(&transaction, records).await {
        // Only the transaction itself tells whether this producer is finished; a record's own error doesn't.
        transaction.abort().await?;
        return Err(kafka_log::Error::Aborted(error.to_string()));
    }
    crash_point("replay.before_commit");
    transaction.commit().await?;
    crash_point("replay.after_commit");
    Ok(())
}

async fn produce(transaction: &Transaction<'_>, records: &[Outgoing]) -> Result<(), kafka_log::Error> {
    let mut acks = Vec::with_capacity(records.len());
    for record in records {
        acks.push(transaction.send(record).await?);
    }
    crash_point("replay.after_produce");
    for ack in acks {
        ack.await?;
    }
    Ok(())
}
