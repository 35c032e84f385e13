//! Batches of the log, into the tables: in one transaction with how far they come, so that neither a crash nor a second
//! process adds anything twice.

use crate::{
    Delivery, Error, Event, Fact, Last, Outcome, Rejection, Replay, Status, Store,
    counters::Changes,
    database::{Dialect, answered},
    rejection,
    values::{self, Bind},
};
use sqlx::{AnyConnection, AssertSqlSafe, Row, any::AnyArguments, any::AnyRow};
use std::collections::{BTreeMap, HashMap};

/// How far one partition of the log comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    pub partition: i32,
    /// Where the batch begins: what [`Store::next_offset`] said, or the batch before. None: nothing was ever projected.
    pub from: Option<i64>,
    /// The first offset that isn't in it.
    pub to: i64,
}

/// What records of the log say, and how far they reach.
#[derive(Debug, Default)]
pub struct Batch {
    pub reached: Vec<Reached>,
    deliveries: HashMap<String, Delivery>,
    events: HashMap<(String, String), Event>,
    rejections: HashMap<(String, String), Rejection>,
    changes: Changes,
}

impl Batch {
    /// Adds what the record of this partition says.
    pub fn add(&mut self, facts: Vec<Fact>, partition: i32) {
        for fact in facts {
            match fact {
                Fact::Delivery(delivery) => match self.deliveries.get_mut(&delivery.id) {
                    Some(known) => known.add(&delivery),
                    None => drop(self.deliveries.insert(delivery.id.clone(), *delivery)),
                },
                Fact::Event(event) => match self.events.get_mut(&(event.tenant.clone(), event.id.clone())) {
                    Some(known) => known.add(&event),
                    None => drop(self.events.insert((event.tenant.clone(), event.id.clone()), event)),
                },
                Fact::Rejected(rejection) => {
                    let key = (rejection.tenant.clone(), rejection.event_id.clone());
                    let known = self.rejections.get(&key);
                    if known.is_none_or(|known| rejection.outweighs(known)) {
                        self.rejections.insert(key, rejection);
                    }
                }
                Fact::Tried(tried) => self.changes.tried(&tried, partition),
            }
        }
    }

    /// Rows that it writes.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.deliveries.len() + self.events.len() + self.rejections.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reached.is_empty()
    }
}

impl Store {
    /// Up to where each partition of the log is projected: the offset after the last record.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn next_offsets(&self) -> Result<BTreeMap<i32, i64>, Error> {
        let rows = sqlx::query("SELECT log_partition, next_offset FROM hookline_projection")
            .fetch_all(self.pool())
            .await?;
        let mut offsets = BTreeMap::new();
        for row in rows {
            offsets.insert(narrow(row.try_get(0)?)?, row.try_get(1)?);
        }
        Ok(offsets)
    }

    /// Adds a batch. All of it, or on an error nothing.
    ///
    /// # Errors
    /// [`Error::Overtaken`] when somebody else has projected one of its partitions further; or when the database can't be
    /// used.
    pub async fn write(&self, batch: &Batch) -> Result<(), Error> {
        answered(self.write_all(batch)).await
    }

    async fn write_all(&self, batch: &Batch) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        let mut reached = batch.reached.clone();
        // In one order, so that two processes wait for one another and never in a circle.
        reached.sort_by_key(|of| of.partition);
        for of in &reached {
            advance(&mut transaction, *of).await?;
        }
        let mut changes = batch.changes.clone();
        let mut deliveries: Vec<&Delivery> = batch.deliveries.values().collect();
        deliveries.sort_by(|a, b| a.id.cmp(&b.id));
        for chunk in values::chunks(&deliveries) {
            write_deliveries(&mut transaction, self.dialect, chunk, &mut changes).await?;
        }
        let mut events: Vec<&Event> = batch.events.values().collect();
        events.sort_by(|a, b| (&a.tenant, &a.id).cmp(&(&b.tenant, &b.id)));
        for chunk in values::chunks(&events) {
            write_events(&mut transaction, self.dialect, chunk).await?;
        }
        let mut rejections: Vec<&Rejection> = batch.rejections.values().collect();
        rejections.sort_by(|a, b| (&a.tenant, &a.event_id).cmp(&(&b.tenant, &b.event_id)));
        for chunk in values::chunks(&rejections) {
            rejection::write(&mut transaction, self.dialect, chunk).await?;
        }
        changes.write(&mut transaction, self.dialect).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Only from where the batch begins; the row is locked until the transaction ends.
async fn advance(connection: &mut AnyConnection, Reached { partition, from, to }: Reached) -> Result<(), Error> {
    let query = match from {
        Some(from) => {
            sqlx::query("UPDATE hookline_projection SET next_offset = $1 WHERE log_partition = $2 AND next_offset = $3")
                .bind(to)
                .bind(i64::from(partition))
                .bind(from)
        }
        None => sqlx::query(
            "INSERT INTO hookline_projection (next_offset, log_partition) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(to)
        .bind(i64::from(partition)),
    };
    match query.execute(connection).await?.rows_affected() {
        1 => Ok(()),
        _ => Err(Error::Overtaken { partition }),
    }
}

async fn write_deliveries(
    connection: &mut AnyConnection,
    dialect: Dialect,
    added: &[&Delivery],
    changes: &mut Changes,
) -> Result<(), Error> {
    let ids: Vec<&str> = added.iter().map(|delivery| delivery.id.as_str()).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM hookline_deliveries WHERE delivery_id IN ({})",
        values::list(dialect, ids.len())
    );
    let found = sqlx::query_with(AssertSqlSafe(sql), values::bound(&ids))
        .fetch_all(&mut *connection)
        .await?;
    let mut known = HashMap::with_capacity(found.len());
    for row in found {
        let delivery = read(&row)?;
        known.insert(delivery.id.clone(), delivery);
    }
    let mut rows = Vec::with_capacity(added.len());
    for delivery in added {
        let before = known.remove(&delivery.id);
        let status = before.as_ref().map(|before| before.outcome.status);
        let mut now = Delivery::clone(delivery);
        if let Some(before) = &before {
            now.add(before);
        }
        changes.moved(status, &now);
        rows.push(now);
    }
    let sql = format!(
        "INSERT INTO hookline_deliveries ({COLUMNS}) VALUES {} ON CONFLICT (delivery_id) DO UPDATE SET {}",
        values::tuples(dialect, rows.len(), Delivery::COLUMNS),
        replaced()
    );
    sqlx::query_with(AssertSqlSafe(sql), values::bound(&rows))
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_events(connection: &mut AnyConnection, dialect: Dialect, added: &[&Event]) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO hookline_events (tenant, event_id, event_type, matched_at_ms, log_partition, log_offset) VALUES {}
         ON CONFLICT (tenant, event_id) DO UPDATE SET
            matched_at_ms = CASE WHEN excluded.matched_at_ms < hookline_events.matched_at_ms
                THEN excluded.matched_at_ms ELSE hookline_events.matched_at_ms END,
            log_offset = CASE WHEN excluded.log_offset > hookline_events.log_offset
                THEN excluded.log_offset ELSE hookline_events.log_offset END",
        values::tuples(dialect, added.len(), Event::COLUMNS)
    );
    sqlx::query_with(AssertSqlSafe(sql), values::bound(added))
        .execute(connection)
        .await?;
    Ok(())
}

/// In the order of [`Bind`] and [`read`].
pub(crate) const COLUMNS: &str = "delivery_id, tenant, event_id, endpoint_id, event_type, created_at_ms, updated_at_ms, \
                                  generation, status, status_at_ms, reason, last_number, last_started_at_ms, \
                                  last_generation, last_status_code, last_error, next_attempt_at_ms, \
                                  replay_generation, replayed_at_ms, replayed_by, log_partition, attempts";

/// Everything but what a delivery's id already says.
fn replaced() -> String {
    let columns = COLUMNS.split(", ").filter(|column| {
        let fixed = ["delivery_id", "tenant", "event_id", "endpoint_id", "log_partition"];
        !fixed.contains(column)
    });
    columns
        .map(|column| format!("{column} = excluded.{column}"))
        .collect::<Vec<_>>()
        .join(", ")
}

impl Bind for Delivery {
    const COLUMNS: usize = 22;

    fn bind(&self, arguments: &mut AnyArguments) {
        use values::add;
        let Outcome {
            generation,
            status,
            at_ms,
            reason,
        } = &self.outcome;
        let (last, replay) = (self.last.as_ref(), self.replay.as_ref());
        for text in [
            &self.id,
            &self.tenant,
            &self.event_id,
            &self.endpoint_id,
            &self.event_type,
        ] {
            add(arguments, text.as_str());
        }
        add(arguments, self.created_at_ms);
        add(arguments, self.updated_at_ms);
        add(arguments, i64::from(*generation));
        add(arguments, status.code());
        add(arguments, *at_ms);
        add(arguments, reason.as_deref());
        add(arguments, last.map_or(0, |last| i64::from(last.number)));
        add(arguments, last.map_or(0, |last| last.started_at_ms));
        add(arguments, last.map_or(0, |last| i64::from(last.generation)));
        add(arguments, last.and_then(|last| last.status_code).map(i64::from));
        add(arguments, last.and_then(|last| last.error.as_deref()));
        add(arguments, last.and_then(|last| last.next_attempt_at_ms));
        add(arguments, replay.map_or(0, |replay| i64::from(replay.generation)));
        add(arguments, replay.map_or(0, |replay| replay.at_ms));
        add(arguments, replay.map(|replay| replay.by.as_str()));
        add(arguments, i64::from(self.log_partition));
        add(arguments, values::to_text(&self.attempts));
    }
}

impl Bind for Event {
    const COLUMNS: usize = 6;

    fn bind(&self, arguments: &mut AnyArguments) {
        for text in [&self.tenant, &self.id, &self.event_type] {
            values::add(arguments, text.as_str());
        }
        values::add(arguments, self.matched_at_ms);
        values::add(arguments, i64::from(self.log_partition));
        values::add(arguments, self.log_offset);
    }
}

/// A row of [`COLUMNS`].
pub(crate) fn read(row: &AnyRow) -> Result<Delivery, Error> {
    let code: i64 = row.try_get(8)?;
    let number = |index: usize| row.try_get::<i64, _>(index).map_err(Error::from).and_then(narrow);
    let last = match number(11)? {
        0 => None,
        last_number => Some(Last {
            number: last_number,
            started_at_ms: row.try_get(12)?,
            generation: number(13)?,
            status_code: row.try_get::<Option<i64>, _>(14)?.map(narrow).transpose()?,
            error: row.try_get(15)?,
            next_attempt_at_ms: row.try_get(16)?,
        }),
    };
    let by: Option<String> = row.try_get(19)?;
    let replay = match by {
        None => None,
        Some(by) => Some(Replay {
            generation: number(17)?,
            at_ms: row.try_get(18)?,
            by,
        }),
    };
    Ok(Delivery {
        id: row.try_get(0)?,
        tenant: row.try_get(1)?,
        event_id: row.try_get(2)?,
        endpoint_id: row.try_get(3)?,
        event_type: row.try_get(4)?,
        created_at_ms: row.try_get(5)?,
        updated_at_ms: row.try_get(6)?,
        outcome: Outcome {
            generation: number(7)?,
            status: Status::from_code(code).ok_or_else(|| Error::Row(format!("status {code}")))?,
            at_ms: row.try_get(9)?,
            reason: row.try_get(10)?,
        },
        last,
        replay,
        log_partition: number(20)?,
        attempts: values::from_text(&row.try_get::<String, _>(21)?),
    })
}

pub(crate) fn narrow(number: i64) -> Result<i32, Error> {
    i32::try_from(number).map_err(|_| Error::Row(format!("{number} is too large")))
}
