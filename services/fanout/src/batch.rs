//! What a partition's worker takes at once: what is there, up to the limits. It never waits for a batch to fill.

use crate::BatchLimits;
use kafka_log::{Item, Record};
use tokio::sync::mpsc;

/// Records in offset order, and how far reading got.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    /// Where reading is to go on once all of this is done.
    pub(crate) next: i64,
}

/// Waits for something to be there and takes it. `None`: nothing will ever be. Cancel-safe: nothing is taken before it
/// returns.
pub(crate) async fn take(items: &mut mpsc::Receiver<Item>, limits: &BatchLimits) -> Option<Batch> {
    let mut item = Some(items.recv().await?);
    let mut batch = Batch::default();
    let mut bytes = 0;
    while let Some(taken) = item {
        match taken {
            Item::Record(record) => {
                bytes += record.credit.bytes();
                // Lower than before where a topic was made again.
                batch.next = record.offset + 1;
                batch.records.push(record);
            }
            Item::Reached { offset, .. } => batch.next = batch.next.max(offset),
        }
        let full = batch.records.len() >= limits.max_records || bytes >= limits.max_bytes;
        item = if full { None } else { items.try_recv().ok() };
    }
    Some(batch)
}
