//! An empty database of each kind, and records of the log to fill it with.

use anyhow::Result;
use history_store::{Batch, Delivery, Filter, Reached, Store, fold};
use schemas::{
    AttemptLogged, AttemptResult, EventRejected, LogRecord, Matched, MatchedEndpoint, Replayed, Settled, Source,
};

pub const TENANT: &str = "org_1";
pub const INSTALLATION: &str = "cluster/incarnation";

/// A database that is gone when this is dropped.
pub struct Bed {
    pub store: Store,
    _file: Option<tempfile::TempDir>,
}

impl Bed {
    pub async fn sqlite() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let url = format!("sqlite://{}", dir.path().join("history.db").display());
        Self::open(url, Some(dir)).await
    }

    pub async fn postgres() -> Result<Self> {
        let url = tokio::task::spawn_blocking(postgres_server::database).await??;
        Self::open(url, None).await
    }

    async fn open(url: String, file: Option<tempfile::TempDir>) -> Result<Self> {
        let store = Store::new(&url)?;
        store.prepare(INSTALLATION).await?;
        Ok(Self { store, _file: file })
    }

    /// All of them in one batch of partition 0, at the offsets from `from` on.
    pub async fn write(&self, from: Option<i64>, records: &[LogRecord]) -> Result<()> {
        let first = from.unwrap_or(0);
        let mut batch = Batch::default();
        let mut next = first;
        for record in records {
            batch.add(fold(record, 0, next), 0);
            next += 1;
        }
        batch.reached.push(Reached {
            partition: 0,
            from,
            to: next,
        });
        Ok(self.store.write(&batch).await?)
    }

    /// Every delivery of the tenant, oldest first.
    pub async fn all(&self) -> Result<Vec<Delivery>> {
        let mut rows = self.store.deliveries(TENANT, &Filter::default(), 10_000).await?;
        rows.reverse();
        Ok(rows)
    }
}

/// Runs a test on both databases.
#[macro_export]
macro_rules! on_both {
    ($($name:ident)*) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() -> anyhow::Result<()> {
                super::$name($crate::support::Bed::sqlite().await?).await
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() -> anyhow::Result<()> {
                super::$name($crate::support::Bed::postgres().await?).await
            }
        }
    )*};
}

fn blank(event: usize, at_ms: i64) -> LogRecord {
    LogRecord::blank(&format!("evt_{event}"), TENANT, &event_type(event), at_ms)
}

pub fn event_type(event: usize) -> String {
    if event.is_multiple_of(2) { "a.even" } else { "a.odd" }.to_owned()
}

pub fn delivery_id(event: usize, endpoint: &str) -> String {
    format!("dlv_{event:04}{endpoint}")
}

pub fn matched(event: usize, at_ms: i64, endpoints: &[&str]) -> LogRecord {
    let endpoints = endpoints.iter().map(|endpoint| MatchedEndpoint {
        endpoint_id: (*endpoint).to_owned(),
        delivery_id: delivery_id(event, endpoint),
    });
    LogRecord {
        matched: Some(Matched {
            event_type: event_type(event),
            occurred_at: "2026-11-21T10:00:00Z".into(),
            data: b"{}".to_vec(),
            source: source(),
            ledger_version: 1,
            chunk: 0,
            chunks: 1,
            endpoints: endpoints.collect(),
            event_time_ms: at_ms,
            cloud_source: None,
            traceparent: None,
        }),
        ..blank(event, at_ms)
    }
}

fn source() -> Source {
    Source {
        topic: "events".into(),
        partition: 0,
        offset: 1,
    }
}

pub fn rejected(event: usize, at_ms: i64, message: &str) -> LogRecord {
    LogRecord {
        rejected: Some(EventRejected {
            reason: "contract_broken".into(),
            message: message.to_owned(),
            source: source(),
        }),
        ..blank(event, at_ms)
    }
}

pub fn attempt(event: usize, endpoint: &str, at_ms: i64, number: i32, result: AttemptResult) -> LogRecord {
    LogRecord {
        attempt: Some(AttemptLogged {
            delivery_id: delivery_id(event, endpoint),
            endpoint_id: endpoint.to_owned(),
            generation: 0,
            number,
            trigger: "event".into(),
            started_at_ms: at_ms - 7,
            duration_ms: 7,
            status_code: Some(if result == AttemptResult::Delivered { 200 } else { 500 }),
            error: (result != AttemptResult::Delivered).then(|| "500 Internal Server Error".into()),
            response_headers: std::collections::BTreeMap::new(),
            response_body: Vec::new(),
            result,
            next_attempt_at_ms: (result == AttemptResult::Retry).then_some(at_ms + 1_000),
            reason: (result == AttemptResult::Dead).then(|| "retries_exhausted".into()),
        }),
        ..blank(event, at_ms)
    }
}

pub fn settled(event: usize, endpoint: &str, at_ms: i64) -> LogRecord {
    LogRecord {
        settled: Some(Settled {
            delivery_id: delivery_id(event, endpoint),
            endpoint_id: endpoint.to_owned(),
            generation: 0,
            outcome: "cancelled".into(),
            reason: "endpoint_deleted".into(),
        }),
        ..blank(event, at_ms)
    }
}

pub fn replayed(event: usize, endpoint: &str, at_ms: i64, by: &str) -> LogRecord {
    LogRecord {
        replayed: Some(Replayed {
            delivery_id: delivery_id(event, endpoint),
            endpoint_id: endpoint.to_owned(),
            generation: 1,
            by: by.to_owned(),
        }),
        ..blank(event, at_ms)
    }
}
