//! What was read of each owned partition and isn't in the database yet. A record of an unknown schema holds up its own
//! partition alone, until the ledger knows the schema; it is never passed over.

use history_store::{Batch, Reached, fold};
use kafka_log::Record;
use schemas::{LogRecord, WriterSchemas};
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// How often a partition that can't go on says so.
const ALERT_EVERY: Duration = Duration::from_secs(30);

/// One partition.
#[derive(Debug)]
struct Waiting {
    /// What the database holds: everything below. None: nothing was ever projected.
    from: Option<i64>,
    /// Everything below was read.
    read: i64,
    records: VecDeque<Record>,
    alerted: Option<Instant>,
}

/// All owned partitions.
#[derive(Debug, Default)]
pub(crate) struct Intake(BTreeMap<i32, Waiting>);

impl Intake {
    pub(crate) fn begin(&mut self, partition: i32, from: Option<i64>, first: i64) {
        let waiting = Waiting {
            from,
            read: first,
            records: VecDeque::new(),
            alerted: None,
        };
        self.0.insert(partition, waiting);
    }

    pub(crate) fn end(&mut self, partition: i32) {
        self.0.remove(&partition);
    }

    pub(crate) fn partitions(&self) -> Vec<i32> {
        self.0.keys().copied().collect()
    }

    pub(crate) fn push(&mut self, record: Record) {
        if let Some(waiting) = self.0.get_mut(&record.partition) {
            waiting.read = waiting.read.max(record.offset + 1);
            waiting.records.push_back(record);
        }
    }

    /// Everything below this offset was read, also what only holds transaction markers.
    pub(crate) fn reached(&mut self, partition: i32, offset: i64) {
        if let Some(waiting) = self.0.get_mut(&partition) {
            waiting.read = waiting.read.max(offset);
        }
    }

    /// Since when the oldest record has waited, Unix milliseconds.
    pub(crate) fn oldest_ms(&self) -> Option<i64> {
        let firsts = self.0.values().filter_map(|waiting| waiting.records.front());
        firsts.map(|record| record.timestamp_ms).min()
    }

    /// What can be written now, at most so many records. They stay here until [`Intake::written`].
    pub(crate) fn batch(&mut self, most: usize, schemas: &dyn WriterSchemas) -> (Batch, usize) {
        let (mut batch, mut taken) = (Batch::default(), 0);
        for (partition, waiting) in &mut self.0 {
            let mut to = None;
            let mut whole = true;
            for record in &waiting.records {
                if taken >= most {
                    whole = false;
                    break;
                }
                match decode(record, schemas) {
                    Decoded::Log(log) => batch.add(fold(&log, record.partition, record.offset), record.partition),
                    Decoded::Damaged => {}
                    Decoded::Unknown(error) => {
                        raise(&mut waiting.alerted, record, &error);
                        whole = false;
                        break;
                    }
                }
                taken += 1;
                to = Some(record.offset + 1);
            }
            if whole {
                to = Some(waiting.read);
            }
            if let Some(to) = to.filter(|to| waiting.from != Some(*to)) {
                batch.reached.push(Reached {
                    partition: *partition,
                    from: waiting.from,
                    to,
                });
            }
        }
        (batch, taken)
    }

    /// The database holds it.
    pub(crate) fn written(&mut self, reached: &[Reached]) {
        for Reached { partition, to, .. } in reached {
            let Some(waiting) = self.0.get_mut(partition) else {
                continue;
            };
            waiting.from = Some(*to);
            while waiting.records.front().is_some_and(|record| record.offset < *to) {
                waiting.records.pop_front();
                waiting.alerted = None;
            }
        }
    }
}

enum Decoded {
    Log(Box<LogRecord>),
    Damaged,
    Unknown(String),
}

fn decode(record: &Record, schemas: &dyn WriterSchemas) -> Decoded {
    let Some(value) = &record.value else {
        return Decoded::Damaged;
    };
    match schemas::decode(value, schemas) {
        Ok(log) => Decoded::Log(Box::new(log)),
        Err(error) if error.is_unknown_schema() => Decoded::Unknown(error.to_string()),
        Err(error) => {
            metrics::counter!("hookline_history_damaged_total").increment(1);
            tracing::error!(partition = record.partition, offset = record.offset, %error,
                "a record of the log can't be read; the history goes on without it");
            Decoded::Damaged
        }
    }
}

fn raise(alerted: &mut Option<Instant>, record: &Record, error: &str) {
    if alerted.is_some_and(|at| at.elapsed() < ALERT_EVERY) {
        return;
    }
    *alerted = Some(Instant::now());
    metrics::counter!("hookline_blocked_total", "why" => "unknown_schema").increment(1);
    tracing::error!(
        partition = record.partition,
        offset = record.offset,
        error,
        "the history waits for a record schema that the ledger doesn't hold yet; this partition stands still"
    );
}
