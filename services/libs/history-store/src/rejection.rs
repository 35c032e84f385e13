//! Events that fan-out could deliver to nobody.

use crate::{Error, Store, database::Dialect, values, write::narrow};
use sqlx::{AnyConnection, AssertSqlSafe, Row, any::AnyArguments};

/// Why an event went to nobody, and when that was last found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub tenant: String,
    pub event_id: String,
    pub event_type: String,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// `unknown_type` or `contract_broken`
    pub reason: String,
    pub message: String,
    /// Where it was read.
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

impl Rejection {
    /// Of two of the same event the later one stays, whatever the order in which they come.
    pub(crate) fn outweighs(&self, other: &Self) -> bool {
        (self.at_ms, &self.message) > (other.at_ms, &other.message)
    }
}

const COLUMNS: &str = "tenant, event_id, event_type, at_ms, reason, message, topic, topic_partition, topic_offset";

impl values::Bind for Rejection {
    const COLUMNS: usize = 9;

    fn bind(&self, arguments: &mut AnyArguments) {
        for text in [&self.tenant, &self.event_id, &self.event_type] {
            values::add(arguments, text.as_str());
        }
        values::add(arguments, self.at_ms);
        for text in [&self.reason, &self.message, &self.topic] {
            values::add(arguments, text.as_str());
        }
        values::add(arguments, i64::from(self.partition));
        values::add(arguments, self.offset);
    }
}

pub(crate) async fn write(connection: &mut AnyConnection, dialect: Dialect, added: &[&Rejection]) -> Result<(), Error> {
    let replaced = COLUMNS.split(", ").skip(2);
    let replaced: Vec<String> = replaced.map(|column| format!("{column} = excluded.{column}")).collect();
    let sql = format!(
        "INSERT INTO hookline_rejections ({COLUMNS}) VALUES {}
         ON CONFLICT (tenant, event_id) DO UPDATE SET {}
         WHERE excluded.at_ms > hookline_rejections.at_ms
            OR (excluded.at_ms = hookline_rejections.at_ms AND excluded.message > hookline_rejections.message)",
        values::tuples(dialect, added.len(), <Rejection as values::Bind>::COLUMNS),
        replaced.join(", ")
    );
    sqlx::query_with(AssertSqlSafe(sql), values::bound(added))
        .execute(connection)
        .await?;
    Ok(())
}

impl Store {
    /// Why this event of the tenant was rejected, if it was.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn rejection(&self, tenant: &str, event_id: &str) -> Result<Option<Rejection>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM hookline_rejections WHERE tenant = $1 AND event_id = $2");
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(tenant)
            .bind(event_id)
            .fetch_optional(self.pool())
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Rejection {
            tenant: row.try_get(0)?,
            event_id: row.try_get(1)?,
            event_type: row.try_get(2)?,
            at_ms: row.try_get(3)?,
            reason: row.try_get(4)?,
            message: row.try_get(5)?,
            topic: row.try_get(6)?,
            partition: narrow(row.try_get(7)?)?,
            offset: row.try_get(8)?,
        }))
    }
}
