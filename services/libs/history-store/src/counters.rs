//! Figures of endpoints, kept up with their deliveries so that nobody has to count. One row for each endpoint and partition
//! of the log, which one process writes at a time; an endpoint's figures are their sum.

use crate::{
    Delivery, Error, Status, Store, Tried,
    database::Dialect,
    values::{self, Bind},
};
use sqlx::{AnyConnection, AssertSqlSafe, Row, any::AnyArguments};
use std::collections::{BTreeMap, HashMap};

/// Durations of the last attempts that a row remembers.
const DURATIONS: usize = 64;

/// An endpoint's figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    pub pending: i64,
    pub failed: i64,
    pub delivered: i64,
    /// Unix milliseconds.
    pub last_success_at_ms: Option<i64>,
    /// Unix milliseconds.
    pub last_failure_at_ms: Option<i64>,
    /// 95 of 100 of the last attempts took at most so long, milliseconds; None before the first.
    pub p95_ms: Option<i64>,
}

/// What a batch changes of one row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    pending: i64,
    failed: i64,
    delivered: i64,
    last_success_at_ms: i64,
    last_failure_at_ms: i64,
    durations_ms: Vec<i64>,
}

impl Change {
    fn count(&mut self, status: Status, by: i64) {
        match status {
            Status::Pending => self.pending += by,
            Status::Failed => self.failed += by,
            Status::Delivered => self.delivered += by,
        }
    }
}

/// By endpoint and partition of the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes(BTreeMap<(String, i32), Change>);

impl Changes {
    fn of(&mut self, endpoint_id: &str, partition: i32) -> &mut Change {
        self.0.entry((endpoint_id.to_owned(), partition)).or_default()
    }

    /// A delivery has become what it is now.
    pub(crate) fn moved(&mut self, before: Option<Status>, now: &Delivery) {
        if before == Some(now.outcome.status) {
            return;
        }
        let change = self.of(&now.endpoint_id, now.log_partition);
        change.count(now.outcome.status, 1);
        if let Some(before) = before {
            change.count(before, -1);
        }
    }

    /// Deliveries were taken out.
    pub(crate) fn removed(&mut self, endpoint_id: &str, partition: i32, status: Status) {
        self.of(endpoint_id, partition).count(status, -1);
    }

    pub(crate) fn tried(&mut self, tried: &Tried, partition: i32) {
        let change = self.of(&tried.endpoint_id, partition);
        let last = match tried.is_success {
            true => &mut change.last_success_at_ms,
            false => &mut change.last_failure_at_ms,
        };
        *last = tried.at_ms.max(*last);
        change.durations_ms.push(tried.duration_ms);
    }

    /// Writes them, each relative to what stands there but for the durations.
    pub(crate) async fn write(self, connection: &mut AnyConnection, dialect: Dialect) -> Result<(), Error> {
        let mut rows: Vec<Counted> = self
            .0
            .into_iter()
            .map(|((endpoint_id, partition), change)| Counted {
                endpoint_id,
                partition,
                change,
            })
            .collect();
        for chunk in values::chunks(&rows).map(<[Counted]>::len).collect::<Vec<_>>() {
            let mut now: Vec<Counted> = rows.drain(..chunk).collect();
            remember_durations(connection, dialect, &mut now).await?;
            let sql = format!(
                "INSERT INTO hookline_counters (endpoint_id, log_partition, pending, failed, delivered,
                    last_success_at_ms, last_failure_at_ms, durations_ms) VALUES {}
                 ON CONFLICT (endpoint_id, log_partition) DO UPDATE SET
                    pending = hookline_counters.pending + excluded.pending,
                    failed = hookline_counters.failed + excluded.failed,
                    delivered = hookline_counters.delivered + excluded.delivered,
                    last_success_at_ms = CASE WHEN excluded.last_success_at_ms > hookline_counters.last_success_at_ms
                        THEN excluded.last_success_at_ms ELSE hookline_counters.last_success_at_ms END,
                    last_failure_at_ms = CASE WHEN excluded.last_failure_at_ms > hookline_counters.last_failure_at_ms
                        THEN excluded.last_failure_at_ms ELSE hookline_counters.last_failure_at_ms END,
                    durations_ms = excluded.durations_ms",
                values::tuples(dialect, now.len(), Counted::COLUMNS)
            );
            sqlx::query_with(AssertSqlSafe(sql), values::bound(&now))
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

struct Counted {
    endpoint_id: String,
    partition: i32,
    change: Change,
}

impl Bind for Counted {
    const COLUMNS: usize = 8;

    fn bind(&self, arguments: &mut AnyArguments) {
        values::add(arguments, self.endpoint_id.as_str());
        values::add(arguments, i64::from(self.partition));
        values::add(arguments, self.change.pending);
        values::add(arguments, self.change.failed);
        values::add(arguments, self.change.delivered);
        values::add(arguments, self.change.last_success_at_ms);
        values::add(arguments, self.change.last_failure_at_ms);
        values::add(arguments, values::to_text(&self.change.durations_ms));
    }
}

/// The last ones of those that stand there and the new ones.
async fn remember_durations(
    connection: &mut AnyConnection,
    dialect: Dialect,
    rows: &mut [Counted],
) -> Result<(), Error> {
    let ids: Vec<&str> = rows.iter().map(|row| row.endpoint_id.as_str()).collect();
    let sql = format!(
        "SELECT endpoint_id, log_partition, durations_ms FROM hookline_counters WHERE endpoint_id IN ({})",
        values::list(dialect, ids.len())
    );
    let found = sqlx::query_with(AssertSqlSafe(sql), values::bound(&ids))
        .fetch_all(&mut *connection)
        .await?;
    let mut standing = HashMap::new();
    for row in found {
        let key: (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        standing.insert(key, values::from_text(&row.try_get::<String, _>(2)?));
    }
    for row in rows {
        let mut all = standing
            .remove(&(row.endpoint_id.clone(), i64::from(row.partition)))
            .unwrap_or_default();
        all.append(&mut row.change.durations_ms);
        let too_many = all.len().saturating_sub(DURATIONS);
        all.drain(..too_many);
        row.change.durations_ms = all;
    }
    Ok(())
}

impl Store {
    /// The figures of these endpoints; those without any delivery are left out. No check of whose they are.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn counters(&self, endpoint_ids: &[&str]) -> Result<HashMap<String, Counters>, Error> {
        let mut sums: HashMap<String, (Counters, Vec<i64>)> = HashMap::new();
        for ids in values::chunks(endpoint_ids) {
            let sql = format!(
                "SELECT endpoint_id, pending, failed, delivered, last_success_at_ms, last_failure_at_ms, durations_ms
                 FROM hookline_counters WHERE endpoint_id IN ({})",
                values::list(self.dialect, ids.len())
            );
            let rows = sqlx::query_with(AssertSqlSafe(sql), values::bound(ids))
                .fetch_all(self.pool())
                .await?;
            for row in rows {
                let (sum, durations) = sums.entry(row.try_get(0)?).or_default();
                sum.pending += row.try_get::<i64, _>(1)?;
                sum.failed += row.try_get::<i64, _>(2)?;
                sum.delivered += row.try_get::<i64, _>(3)?;
                let time = |ms: i64| (ms > 0).then_some(ms);
                sum.last_success_at_ms = sum.last_success_at_ms.max(time(row.try_get(4)?));
                sum.last_failure_at_ms = sum.last_failure_at_ms.max(time(row.try_get(5)?));
                durations.extend(values::from_text(&row.try_get::<String, _>(6)?));
            }
        }
        let finished = sums.into_iter().map(|(id, (mut sum, durations))| {
            sum.p95_ms = p95(durations);
            (id, sum)
        });
        Ok(finished.collect())
    }
}

/// The smallest that at least 95 of 100 don't exceed.
fn p95(mut durations: Vec<i64>) -> Option<i64> {
    durations.sort_unstable();
    let rank = (durations.len() * 95).div_ceil(100);
    durations.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_95th_of_100_is_the_95th_smallest() {
        assert_eq!(p95((1..=100).rev().collect()), Some(95));
        assert_eq!(p95(vec![7]), Some(7));
        assert_eq!(p95((1..=20).collect()), Some(19));
        assert_eq!(p95(Vec::new()), None);
    }
}
