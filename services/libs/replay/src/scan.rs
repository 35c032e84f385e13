//! Reading: what is dead now.

use crate::{Error, Filter, partition::DeadLetters};
use kafka_log::{Connection, Record};
use schemas::{DeadLetter, WriterSchemas};
use std::ops::ControlFlow;

/// A dead letter and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetterEntry {
    pub partition: i32,
    pub offset: i64,
    pub dead_letter: DeadLetter,
    /// Its record's key.
    pub(crate) key: Vec<u8>,
}

/// What a scan came across.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Handed to the caller.
    pub matched: u64,
    /// Dead letters that this build can't decode: they stay, and a newer build reads them.
    pub unreadable: u64,
}

/// Hands every dead letter that matches to `each`, partition by partition in the order of writing, until it breaks or
/// the limit is reached. What dies while it reads may be missed.
pub async fn scan(
    connection: &Connection,
    schemas: &dyn WriterSchemas,
    filter: &Filter,
    mut each: impl FnMut(DeadLetterEntry) -> ControlFlow<()>,
) -> Result<Scanned, Error> {
    let letters = DeadLetters::open(connection).await?;
    let mut scanned = Scanned::default();
    for partition in filter.partitions(letters.partitions) {
        let mut live = letters.live(partition, schemas).await?;
        while !filter.is_reached(scanned.matched)
            && let Some(record) = live.next().await?
        {
            let Some(entry) = read(&record, schemas) else {
                scanned.unreadable += 1;
                continue;
            };
            if !filter.matches(&entry.dead_letter) {
                continue;
            }
            scanned.matched += 1;
            if each(entry).is_break() {
                return Ok(scanned);
            }
        }
    }
    Ok(scanned)
}

/// The dead letter of this delivery, or None when it isn't dead (any more).
pub async fn show(
    connection: &Connection,
    schemas: &dyn WriterSchemas,
    id: &str,
) -> Result<Option<DeadLetterEntry>, Error> {
    let mut found = None;
    scan(connection, schemas, &Filter::id(id), |entry| {
        found = Some(entry);
        ControlFlow::Break(())
    })
    .await?;
    Ok(found)
}

/// None, and an error in the log, when it can't be decoded.
pub(crate) fn read(record: &Record, schemas: &dyn WriterSchemas) -> Option<DeadLetterEntry> {
    match schemas::decode(record.value.as_ref()?, schemas) {
        Ok(dead_letter) => Some(DeadLetterEntry {
            partition: record.partition,
            offset: record.offset,
            dead_letter,
            key: record.key.as_deref().unwrap_or_default().to_vec(),
        }),
        Err(error) => {
            let (partition, offset) = (record.partition, record.offset);
            tracing::error!(partition, offset, %error, "a dead letter can't be decoded; it stays where it is");
            None
        }
    }
}
