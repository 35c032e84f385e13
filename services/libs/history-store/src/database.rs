//! The connection: which database, with which settings, and whose history is in it.

use crate::{Error, tables};
use sqlx::{
    AnyPool, Executor,
    any::{AnyConnectOptions, AnyPoolOptions},
};
use std::{str::FromStr, time::Duration};

/// Readers beside the one writer; a query is a few milliseconds.
const CONNECTIONS: u32 = 8;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// What takes longer is never answered: a machine that is gone says nothing, and its connections stay open.
const LONGEST: Duration = Duration::from_secs(60);
/// Readers never wait for the writer. After a power failure the last transactions may be missing, never half there: they
/// are projected again.
const SQLITE_SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 10000; \
                               PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 8000; \
                               PRAGMA journal_size_limit = 67108864;";
/// Lists come from an index in the order in which they are shown, and end after a page. A planner that doesn't know yet how
/// many rows a value has would rather collect and sort all of them.
const POSTGRES_SETTINGS: &str = "SET enable_bitmapscan = off";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    pub(crate) dialect: Dialect,
}

/// Gives up what isn't answered any more; its connection goes with it.
pub(crate) async fn answered<T, E>(call: impl Future<Output = Result<T, E>>) -> Result<T, Error>
where
    Error: From<E>,
{
    let answer = tokio::time::timeout(LONGEST, call).await;
    Ok(answer.map_err(|_| Error::Silent)??)
}

impl Store {
    /// Reads `history.url` without connecting: `sqlite://<file>` (made when it is missing) or `postgres://…`.
    ///
    /// # Errors
    /// [`Error::Url`]
    pub fn new(url: &str) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let dialect = Self::dialect(url)?;
        let full = match dialect {
            Dialect::Sqlite if !url.contains("mode=") => {
                let separator = if url.contains('?') { '&' } else { '?' };
                format!("{url}{separator}mode=rwc")
            }
            _ => url.to_owned(),
        };
        // The error may hold the url, and the url a password.
        let options = AnyConnectOptions::from_str(&full).map_err(|_| {
            Error::Url("is no url; use sqlite://<file> or postgres://user:password@host/database".into())
        })?;
        let settings = match dialect {
            Dialect::Sqlite => SQLITE_SETTINGS,
            Dialect::Postgres => POSTGRES_SETTINGS,
        };
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(move |connection, _| Box::pin(async move { connection.execute(settings).await.map(drop) }));
        Ok(Self {
            pool: pool.connect_lazy_with(options),
            dialect,
        })
    }

    fn dialect(url: &str) -> Result<Dialect, Error> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Dialect::Sqlite),
            Some("postgres" | "postgresql") => Ok(Dialect::Postgres),
            _ => Err(Error::Url("must begin with sqlite:// or postgres://".to_owned())),
        }
    }

    /// Whether several processes may use the database of this url at once.
    ///
    /// # Errors
    /// [`Error::Url`]
    pub fn is_shared(url: &str) -> Result<bool, Error> {
        Ok(Self::dialect(url)? == Dialect::Postgres)
    }

    /// Makes the tables where they are missing, and anew where an older version made them. `installation`: whose history
    /// this is.
    ///
    /// # Errors
    /// [`Error::OtherInstallation`], [`Error::Newer`], or when the database can't be used.
    pub async fn prepare(&self, installation: &str) -> Result<(), Error> {
        tables::prepare(self, installation).await
    }

    /// Whether the tables are there, made by this version.
    ///
    /// # Errors
    /// [`Error::NoTables`], [`Error::Newer`], or when the database can't be asked.
    pub async fn check(&self) -> Result<(), Error> {
        tables::check(self).await
    }

    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// A transaction that will write. SQLite would refuse one that begins by reading when another has written since.
    pub(crate) async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Any>, Error> {
        Ok(match self.dialect {
            Dialect::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await?,
            Dialect::Postgres => self.pool.begin().await?,
        })
    }

    /// Waits until what is under way has ended, and closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Bytes on disk of the tables and their indexes (in SQLite of the file, without its write-ahead log).
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn size_bytes(&self) -> Result<i64, Error> {
        let query = match self.dialect {
            Dialect::Sqlite => "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
            Dialect::Postgres => {
                "SELECT CAST(pg_total_relation_size('hookline_deliveries') + pg_total_relation_size('hookline_events') \
                 + pg_total_relation_size('hookline_counters') AS BIGINT)"
            }
        };
        Ok(sqlx::query_scalar(query).fetch_one(&self.pool).await?)
    }
}
