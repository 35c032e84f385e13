//! Rows past their retention go, with what they add to counters.

use crate::{Error, Status, Store, counters::Changes, database::Dialect, values, write::narrow};
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// Rows of one transaction: the projection waits for it.
const BATCH: i64 = 512;

impl Store {
    /// Takes out deliveries of which nothing has become known since `before_ms` (Unix milliseconds), and events that were
    /// matched or rejected before it and have no delivery left. Returns how many rows went.
    ///
    /// # Errors
    /// When the database can't be used. What was taken out before stays out.
    pub async fn prune(&self, before_ms: i64) -> Result<u64, Error> {
        let mut gone = 0;
        let mut tenant = String::new();
        while let Some(next) = self.next_tenant(&tenant).await? {
            tenant = next;
            for status in Status::ALL {
                let mut after = (i64::MIN, String::new());
                while let Some(last) = self
                    .prune_deliveries(&tenant, status, before_ms, &after, &mut gone)
                    .await?
                {
                    after = last;
                }
            }
            gone += self.prune_events(&tenant, before_ms).await?;
        }
        gone += self.prune_rejections(before_ms).await?;
        sqlx::query("DELETE FROM hookline_counters WHERE pending <= 0 AND failed <= 0 AND delivered <= 0")
            .execute(self.pool())
            .await?;
        Ok(gone)
    }

    async fn next_tenant(&self, after: &str) -> Result<Option<String>, Error> {
        let query = sqlx::query_scalar("SELECT MIN(tenant) FROM hookline_events WHERE tenant > $1").bind(after);
        Ok(query.fetch_one(self.pool()).await?)
    }

    /// A batch of those made before; where it ended, while there may be more.
    async fn prune_deliveries(
        &self,
        tenant: &str,
        status: Status,
        before_ms: i64,
        after: &(i64, String),
        gone: &mut u64,
    ) -> Result<Option<(i64, String)>, Error> {
        let mut transaction = self.begin().await?;
        let rows = sqlx::query(
            "SELECT delivery_id, endpoint_id, log_partition, created_at_ms, updated_at_ms FROM hookline_deliveries
             WHERE tenant = $1 AND status = $2 AND created_at_ms < $3
                AND (created_at_ms > $4 OR (created_at_ms = $4 AND delivery_id > $5))
             ORDER BY created_at_ms, delivery_id LIMIT $6",
        )
        .bind(tenant)
        .bind(status.code())
        .bind(before_ms)
        .bind(after.0)
        .bind(after.1.as_str())
        .bind(BATCH)
        .fetch_all(&mut *transaction)
        .await?;
        let (mut changes, mut old) = (Changes::default(), Vec::new());
        let mut last = None;
        for row in rows {
            let id: String = row.try_get(0)?;
            last = Some((row.try_get(3)?, id.clone()));
            if row.try_get::<i64, _>(4)? < before_ms {
                changes.removed(&row.try_get::<String, _>(1)?, narrow(row.try_get(2)?)?, status);
                old.push(id);
            }
        }
        delete(&mut transaction, self.dialect, &old).await?;
        changes.write(&mut transaction, self.dialect).await?;
        transaction.commit().await?;
        *gone += old.len() as u64;
        Ok(last)
    }

    async fn prune_rejections(&self, before_ms: i64) -> Result<u64, Error> {
        let batch = "DELETE FROM hookline_rejections WHERE (tenant, event_id) IN (
            SELECT tenant, event_id FROM hookline_rejections WHERE at_ms < $1 ORDER BY at_ms LIMIT $2)";
        self.delete_batches(batch, before_ms, None).await
    }

    async fn prune_events(&self, tenant: &str, before_ms: i64) -> Result<u64, Error> {
        let batch = "DELETE FROM hookline_events WHERE tenant = $3 AND event_id IN (
            SELECT event_id FROM hookline_events e WHERE tenant = $3 AND matched_at_ms < $1
                AND NOT EXISTS (SELECT 1 FROM hookline_deliveries d
                    WHERE d.event_id = e.event_id AND d.tenant || '' = $3)
            ORDER BY matched_at_ms LIMIT $2)";
        self.delete_batches(batch, before_ms, Some(tenant)).await
    }

    /// `batch` of this time, so many rows and the tenant, until there is nothing left of it. How many rows went.
    async fn delete_batches(&self, batch: &'static str, before_ms: i64, tenant: Option<&str>) -> Result<u64, Error> {
        let mut gone = 0;
        loop {
            let query = sqlx::query(batch).bind(before_ms).bind(BATCH);
            let query = match tenant {
                Some(tenant) => query.bind(tenant),
                None => query,
            };
            match query.execute(self.pool()).await?.rows_affected() {
                0 => return Ok(gone),
                deleted => gone += deleted,
            }
        }
    }
}

async fn delete(connection: &mut AnyConnection, dialect: Dialect, ids: &[String]) -> Result<(), Error> {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for chunk in values::chunks(&ids) {
        let sql = format!(
            "DELETE FROM hookline_deliveries WHERE delivery_id IN ({})",
            values::list(dialect, chunk.len())
        );
        sqlx::query_with(AssertSqlSafe(sql), values::bound(chunk))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
