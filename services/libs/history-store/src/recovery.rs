//! What the recovery of an endpoint is to send, page by page, oldest first; and how much that is.

use crate::{
    Delivery, Error, Event, Status, Store,
    query::{EVENT_COLUMNS, read_event},
    values,
    write::{COLUMNS, read},
};
use sqlx::{AssertSqlSafe, any::AnyArguments};

/// Deliveries of one endpoint that were made in a time.
#[derive(Debug, Clone)]
pub struct Candidates {
    pub endpoint_id: String,
    pub status: Status,
    /// Made at or after this, Unix milliseconds.
    pub since_ms: i64,
    /// Made before this, Unix milliseconds.
    pub until_ms: i64,
    /// Beyond this row, in the order of the page before.
    pub after: Option<(i64, String)>,
}

/// Events of a tenant that were matched in a time, and of which an endpoint has no delivery.
#[derive(Debug, Clone)]
pub struct Missing {
    pub tenant: String,
    pub endpoint_id: String,
    /// Matched at or after this, Unix milliseconds.
    pub since_ms: i64,
    /// Matched before this, Unix milliseconds.
    pub until_ms: i64,
    /// Beyond this event, in the order of the page before.
    pub after: Option<(i64, String)>,
}

impl Store {
    /// The next of them, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn candidates(&self, wanted: &Candidates, limit: i64) -> Result<Vec<Delivery>, Error> {
        let mut arguments = AnyArguments::default();
        values::add(&mut arguments, wanted.endpoint_id.as_str());
        values::add(&mut arguments, wanted.status.code());
        bounds(
            &mut arguments,
            wanted.since_ms,
            wanted.until_ms,
            wanted.after.as_ref(),
            limit,
        );
        let sql = format!(
            "SELECT {COLUMNS} FROM hookline_deliveries
             WHERE endpoint_id = $1 AND status = $2 AND created_at_ms >= $3 AND created_at_ms < $4
                AND (created_at_ms > $5 OR (created_at_ms = $5 AND delivery_id > $6))
             ORDER BY created_at_ms, delivery_id LIMIT $7"
        );
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments)
            .fetch_all(self.pool())
            .await?;
        rows.iter().map(read).collect()
    }

    /// The next of them, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn missing(&self, wanted: &Missing, limit: i64) -> Result<Vec<Event>, Error> {
        let mut arguments = AnyArguments::default();
        values::add(&mut arguments, wanted.tenant.as_str());
        values::add(&mut arguments, wanted.endpoint_id.as_str());
        bounds(
            &mut arguments,
            wanted.since_ms,
            wanted.until_ms,
            wanted.after.as_ref(),
            limit,
        );
        let sql = format!(
            "SELECT {EVENT_COLUMNS} FROM hookline_events e
             WHERE tenant = $1 AND matched_at_ms >= $3 AND matched_at_ms < $4
                AND (matched_at_ms > $5 OR (matched_at_ms = $5 AND event_id > $6))
                AND NOT EXISTS (SELECT 1 FROM hookline_deliveries d
                    WHERE d.event_id = e.event_id AND d.endpoint_id || '' = $2)
             ORDER BY matched_at_ms, event_id LIMIT $7"
        );
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments)
            .fetch_all(self.pool())
            .await?;
        rows.iter().map(read_event).collect()
    }
}

impl Store {
    /// How many deliveries of an endpoint, made in a time, were last replayed by this job.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn replayed_by(&self, wanted: &Candidates, job: &str) -> Result<i64, Error> {
        let query = sqlx::query_scalar(
            "SELECT COUNT(*) FROM hookline_deliveries WHERE endpoint_id = $1 AND status IN (0, 1, 2)
                AND created_at_ms >= $2 AND created_at_ms < $3 AND replayed_by = $4",
        );
        let query = query
            .bind(wanted.endpoint_id.as_str())
            .bind(wanted.since_ms)
            .bind(wanted.until_ms)
            .bind(job);
        Ok(query.fetch_one(self.pool()).await?)
    }

    /// How many events that were matched in a time have a delivery for the endpoint that was made from `made_from_ms` on.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn made_up_for(&self, wanted: &Missing, made_from_ms: i64) -> Result<i64, Error> {
        let query = sqlx::query_scalar(
            "SELECT COUNT(*) FROM hookline_events e JOIN hookline_deliveries d ON d.event_id = e.event_id
             WHERE e.tenant = $1 AND e.matched_at_ms >= $2 AND e.matched_at_ms < $3
                AND d.endpoint_id || '' = $4 AND d.created_at_ms >= $5",
        );
        let query = query
            .bind(wanted.tenant.as_str())
            .bind(wanted.since_ms)
            .bind(wanted.until_ms)
            .bind(wanted.endpoint_id.as_str())
            .bind(made_from_ms);
        Ok(query.fetch_one(self.pool()).await?)
    }
}

fn bounds(arguments: &mut AnyArguments, since_ms: i64, until_ms: i64, after: Option<&(i64, String)>, limit: i64) {
    let (at_ms, id) = after.map_or((i64::MIN, ""), |(at_ms, id)| (*at_ms, id.as_str()));
    values::add(arguments, since_ms);
    values::add(arguments, until_ms);
    values::add(arguments, at_ms);
    values::add(arguments, id);
    values::add(arguments, limit);
}
