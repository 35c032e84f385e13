//! Questions about deliveries and events. Each names the tenant; what isn't the tenant's is never answered (invariant 6).

use crate::{
    Delivery, Error, Event, Status, Store,
    database::answered,
    values,
    write::{COLUMNS, narrow, read},
};
use sqlx::{AssertSqlSafe, Row, any::AnyArguments};

/// The row after which a page begins, in the order of lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    pub created_at_ms: i64,
    pub delivery_id: String,
}

/// Which deliveries of a tenant are wanted: all that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub endpoint_id: Option<String>,
    pub status: Option<Status>,
    pub event_type: Option<String>,
    pub event_id: Option<String>,
    /// Made at or after this, Unix milliseconds.
    pub from_ms: Option<i64>,
    /// Made before this, Unix milliseconds.
    pub to_ms: Option<i64>,
    pub after: Option<After>,
}

/// The index that a question goes through: it begins with what is compared for equality. The planner of neither database
/// knows how many rows a value has before somebody analyses, so comparisons that would tempt it elsewhere are hidden.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Through {
    Event,
    Endpoint,
    Type,
    Status,
}

impl Filter {
    fn through(&self) -> Through {
        match self {
            Self { event_id: Some(_), .. } => Through::Event,
            Self {
                endpoint_id: Some(_), ..
            } => Through::Endpoint,
            Self {
                event_type: Some(_), ..
            } => Through::Type,
            _ => Through::Status,
        }
    }

    /// Indexes that begin with the status are asked once for each.
    fn statuses(&self) -> Vec<Option<Status>> {
        match (self.through(), self.status) {
            (_, Some(status)) => vec![Some(status)],
            (Through::Endpoint | Through::Status, None) => Status::ALL.map(Some).into(),
            (Through::Event | Through::Type, None) => vec![None],
        }
    }
}

/// A statement as it is put together.
struct Sql {
    text: String,
    arguments: AnyArguments,
    count: usize,
}

impl Sql {
    /// A condition whose `?` is the value's place.
    fn and<'t, T>(&mut self, condition: &str, value: T)
    where
        T: sqlx::Encode<'t, sqlx::Any> + sqlx::Type<sqlx::Any>,
    {
        self.text.push_str(" AND ");
        self.push(condition, value);
    }

    fn push<'t, T>(&mut self, text: &str, value: T)
    where
        T: sqlx::Encode<'t, sqlx::Any> + sqlx::Type<sqlx::Any>,
    {
        self.count += 1;
        self.text.push_str(&text.replace('?', &format!("${}", self.count)));
        values::add(&mut self.arguments, value);
    }
}

/// A page of the list. Where an index is asked once for each status, it is asked for ids alone, and rows are read for those
/// that are shown: by one statement, as what changes its status between two would be missed, or be there twice.
fn page(tenant: &str, filter: &Filter, limit: i64) -> Sql {
    let mut sql = Sql {
        text: format!("SELECT {COLUMNS} FROM hookline_deliveries WHERE "),
        arguments: AnyArguments::default(),
        count: 0,
    };
    if let [status] = filter.statuses()[..] {
        restrict(&mut sql, tenant, filter, status);
        sql.push(NEWEST_FIRST, limit);
        return sql;
    }
    sql.text.push_str("delivery_id IN (SELECT delivery_id FROM (");
    for (number, status) in filter.statuses().into_iter().enumerate() {
        let union = if number == 0 { "" } else { " UNION ALL " };
        sql.text.push_str(&format!(
            "{union}SELECT * FROM (SELECT delivery_id, created_at_ms FROM hookline_deliveries WHERE "
        ));
        restrict(&mut sql, tenant, filter, status);
        sql.push(NEWEST_FIRST, limit);
        sql.text.push_str(&format!(") AS of_status_{number}"));
    }
    sql.text.push_str(") AS of_any");
    sql.push(NEWEST_FIRST, limit);
    sql.text.push(')');
    sql.push(NEWEST_FIRST, limit);
    sql
}

const NEWEST_FIRST: &str = " ORDER BY created_at_ms DESC, delivery_id DESC LIMIT ?";

/// What must hold of a row.
fn restrict(sql: &mut Sql, tenant: &str, filter: &Filter, status: Option<Status>) {
    let through = filter.through();
    sql.push(
        match through {
            Through::Endpoint | Through::Event => "tenant || '' = ?",
            Through::Type | Through::Status => "tenant = ?",
        },
        tenant,
    );
    if let Some(event) = &filter.event_id {
        sql.and("event_id = ?", event.as_str());
    }
    if let Some(endpoint) = &filter.endpoint_id {
        let hidden = through != Through::Endpoint;
        sql.and(
            if hidden {
                "endpoint_id || '' = ?"
            } else {
                "endpoint_id = ?"
            },
            endpoint.as_str(),
        );
    }
    if let Some(event_type) = &filter.event_type {
        let hidden = through != Through::Type;
        sql.and(
            if hidden {
                "event_type || '' = ?"
            } else {
                "event_type = ?"
            },
            event_type.as_str(),
        );
    }
    if let Some(status) = status {
        let hidden = matches!(through, Through::Event | Through::Type);
        sql.and(if hidden { "status + 0 = ?" } else { "status = ?" }, status.code());
    }
    if let Some(from_ms) = filter.from_ms {
        sql.and("created_at_ms >= ?", from_ms);
    }
    if let Some(to_ms) = filter.to_ms {
        sql.and("created_at_ms < ?", to_ms);
    }
    if let Some(after) = &filter.after {
        // The first comparison bounds the index; the second takes out what was shown.
        sql.and("created_at_ms <= ?", after.created_at_ms);
        sql.and("(created_at_ms < ? OR ", after.created_at_ms);
        sql.push("delivery_id < ?)", after.delivery_id.as_str());
    }
}

impl Store {
    /// The tenant's deliveries, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn deliveries(&self, tenant: &str, filter: &Filter, limit: usize) -> Result<Vec<Delivery>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let Sql { text, arguments, .. } = page(tenant, filter, limit);
        let asked = sqlx::query_with(AssertSqlSafe(text), arguments).fetch_all(self.pool());
        let rows = answered(asked).await?;
        rows.iter().map(read).collect()
    }

    /// One delivery of the tenant.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn delivery(&self, tenant: &str, id: &str) -> Result<Option<Delivery>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM hookline_deliveries WHERE delivery_id = $1");
        let asked = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(self.pool());
        let row = answered(asked).await?;
        let delivery = row.as_ref().map(read).transpose()?;
        Ok(delivery.filter(|delivery| delivery.tenant == tenant))
    }

    /// One event of the tenant, by its id.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn event(&self, tenant: &str, id: &str) -> Result<Option<Event>, Error> {
        let sql = format!("SELECT {EVENT_COLUMNS} FROM hookline_events WHERE tenant = $1 AND event_id = $2");
        let asked = sqlx::query(AssertSqlSafe(sql)).bind(tenant).bind(id);
        let row = answered(asked.fetch_optional(self.pool())).await?;
        row.as_ref().map(read_event).transpose()
    }

    /// Those of these events of the tenant that are known, in no order.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn events(&self, tenant: &str, ids: &[&str]) -> Result<Vec<Event>, Error> {
        let mut events = Vec::with_capacity(ids.len());
        for chunk in values::chunks(ids) {
            let mut arguments = AnyArguments::default();
            for id in chunk {
                values::add(&mut arguments, *id);
                values::add(&mut arguments, tenant);
            }
            let sql = format!(
                "SELECT {EVENT_COLUMNS} FROM hookline_events WHERE (event_id, tenant) IN (VALUES {})",
                values::tuples(self.dialect, chunk.len(), 2)
            );
            let asked = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(self.pool());
            for row in &answered(asked).await? {
                events.push(read_event(row)?);
            }
        }
        Ok(events)
    }
}

pub(crate) const EVENT_COLUMNS: &str = "tenant, event_id, event_type, matched_at_ms, log_partition, log_offset";

pub(crate) fn read_event(row: &sqlx::any::AnyRow) -> Result<Event, Error> {
    Ok(Event {
        tenant: row.try_get(0)?,
        id: row.try_get(1)?,
        event_type: row.try_get(2)?,
        matched_at_ms: row.try_get(3)?,
        log_partition: narrow(row.try_get(4)?)?,
        log_offset: row.try_get(5)?,
    })
}
