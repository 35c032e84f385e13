//! The tables. They hold nothing that the log doesn't, so another version's are made anew instead of being changed.

use crate::{Error, Store, database::Dialect};
use sqlx::AssertSqlSafe;

/// Counts up with every change of a table.
const VERSION: i64 = 2;
/// Any number: who makes tables in Postgres takes turns.
const ADVISORY_LOCK: &str = "SELECT pg_advisory_xact_lock(7310579629)";

const META: &str = "CREATE TABLE IF NOT EXISTS hookline_history (name TEXT PRIMARY KEY, value TEXT NOT NULL)";

/// All but `hookline_history`, each with its indexes behind it.
const TABLES: [&str; 11] = [
    "CREATE TABLE IF NOT EXISTS hookline_projection (
        log_partition BIGINT PRIMARY KEY,
        next_offset BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS hookline_events (
        tenant TEXT NOT NULL,
        event_id TEXT NOT NULL,
        event_type TEXT NOT NULL,
        matched_at_ms BIGINT NOT NULL,
        log_partition BIGINT NOT NULL,
        log_offset BIGINT NOT NULL,
        PRIMARY KEY (tenant, event_id))",
    // For what an endpoint has missed, and for what is too old.
    "CREATE INDEX IF NOT EXISTS hookline_events_by_time ON hookline_events (tenant, matched_at_ms, event_id)",
    "CREATE TABLE IF NOT EXISTS hookline_deliveries (
        delivery_id TEXT PRIMARY KEY,
        tenant TEXT NOT NULL,
        event_id TEXT NOT NULL,
        endpoint_id TEXT NOT NULL,
        event_type TEXT NOT NULL,
        created_at_ms BIGINT NOT NULL,
        updated_at_ms BIGINT NOT NULL,
        generation BIGINT NOT NULL,
        status BIGINT NOT NULL,
        status_at_ms BIGINT NOT NULL,
        reason TEXT,
        last_number BIGINT NOT NULL,
        last_started_at_ms BIGINT NOT NULL,
        last_generation BIGINT NOT NULL,
        last_status_code BIGINT,
        last_error TEXT,
        next_attempt_at_ms BIGINT,
        replay_generation BIGINT NOT NULL,
        replayed_at_ms BIGINT NOT NULL,
        replayed_by TEXT,
        log_partition BIGINT NOT NULL,
        attempts TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS hookline_deliveries_by_status
        ON hookline_deliveries (tenant, status, created_at_ms, delivery_id)",
    "CREATE INDEX IF NOT EXISTS hookline_deliveries_by_endpoint
        ON hookline_deliveries (endpoint_id, status, created_at_ms, delivery_id)",
    "CREATE INDEX IF NOT EXISTS hookline_deliveries_by_type
        ON hookline_deliveries (tenant, event_type, created_at_ms, delivery_id)",
    "CREATE INDEX IF NOT EXISTS hookline_deliveries_by_event ON hookline_deliveries (event_id)",
    "CREATE TABLE IF NOT EXISTS hookline_counters (
        endpoint_id TEXT NOT NULL,
        log_partition BIGINT NOT NULL,
        pending BIGINT NOT NULL,
        failed BIGINT NOT NULL,
        delivered BIGINT NOT NULL,
        last_success_at_ms BIGINT NOT NULL,
        last_failure_at_ms BIGINT NOT NULL,
        durations_ms TEXT NOT NULL,
        PRIMARY KEY (endpoint_id, log_partition))",
    "CREATE TABLE IF NOT EXISTS hookline_rejections (
        tenant TEXT NOT NULL,
        event_id TEXT NOT NULL,
        event_type TEXT NOT NULL,
        at_ms BIGINT NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        topic TEXT NOT NULL,
        topic_partition BIGINT NOT NULL,
        topic_offset BIGINT NOT NULL,
        PRIMARY KEY (tenant, event_id))",
    "CREATE INDEX IF NOT EXISTS hookline_rejections_by_time ON hookline_rejections (at_ms)",
];
const DROPPED: [&str; 5] = [
    "DROP TABLE IF EXISTS hookline_projection",
    "DROP TABLE IF EXISTS hookline_events",
    "DROP TABLE IF EXISTS hookline_deliveries",
    "DROP TABLE IF EXISTS hookline_counters",
    "DROP TABLE IF EXISTS hookline_rejections",
];

pub(crate) async fn prepare(store: &Store, installation: &str) -> Result<(), Error> {
    let mut transaction = store.begin().await?;
    if store.dialect == Dialect::Postgres {
        sqlx::query(ADVISORY_LOCK).execute(&mut *transaction).await?;
    }
    sqlx::query(META).execute(&mut *transaction).await?;
    let known = meta(&mut transaction, "installation").await?;
    if let Some(found) = known.filter(|known| known != installation) {
        return Err(Error::OtherInstallation { found });
    }
    let found = version(meta(&mut transaction, "version").await?)?;
    if found.is_some_and(|found| found < VERSION) {
        tracing::info!(
            ?found,
            "the history's tables are of an older version: they are made anew from the log"
        );
        for statement in DROPPED {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
    }
    for statement in TABLES {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *transaction).await?;
    }
    for (name, value) in [("installation", installation), ("version", &VERSION.to_string())] {
        sqlx::query(
            "INSERT INTO hookline_history (name, value) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(name)
        .bind(value)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(())
}

pub(crate) async fn check(store: &Store) -> Result<(), Error> {
    let mut connection = store.pool().acquire().await?;
    let asked: Result<Option<String>, _> =
        sqlx::query_scalar("SELECT value FROM hookline_history WHERE name = 'version'")
            .fetch_optional(&mut *connection)
            .await;
    match asked {
        // There is no such table.
        Err(sqlx::Error::Database(_)) => Err(Error::NoTables),
        Err(error) => Err(error.into()),
        Ok(found) => match version(found)? {
            Some(VERSION) => Ok(()),
            _ => Err(Error::NoTables),
        },
    }
}

async fn meta(connection: &mut sqlx::AnyConnection, name: &str) -> Result<Option<String>, Error> {
    let value = sqlx::query_scalar("SELECT value FROM hookline_history WHERE name = $1").bind(name);
    Ok(value.fetch_optional(connection).await?)
}

/// What stands there, if this version can work with it.
fn version(text: Option<String>) -> Result<Option<i64>, Error> {
    let Some(text) = text else { return Ok(None) };
    let found = text.parse().map_err(|_| Error::Row(format!("version {text}")))?;
    if found > VERSION {
        return Err(Error::Newer { found, known: VERSION });
    }
    Ok(Some(found))
}
