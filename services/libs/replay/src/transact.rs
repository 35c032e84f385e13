//! One transaction of records.

use kafka_log::{Outgoing, Transaction, TransactionalProducer};
use runtime::crash_point;

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
