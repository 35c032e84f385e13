//! Asks the clerk for changes, and waits until they are decided and visible here.

use crate::{Entity, Error, Kind, Ledger, WriteError, clerk::recall, outcomes::Outcomes, rules};
use kafka_log::{Connection, Outgoing, Producer};
use schemas::{
    LedgerOutcome, LedgerRequest, SchemaEntry,
    codec::{self, Fingerprint},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Longer than the clerk's session timeout and a takeover.
const DECISION_TIMEOUT: Duration = Duration::from_secs(10);
const VISIBLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks for changes. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    inner: Arc<Inner>,
}

struct Inner {
    producer: Producer,
    outcomes: Outcomes,
    ledger: Ledger,
    topic: String,
    timeout: Duration,
}

impl Writer {
    pub async fn start(connection: &Connection, ledger: &Ledger) -> Result<Self, Error> {
        Self::start_with_timeout(connection, ledger, DECISION_TIMEOUT).await
    }

    /// `timeout`: how long to wait for a decision before [`WriteError::NoClerk`].
    pub async fn start_with_timeout(
        connection: &Connection,
        ledger: &Ledger,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let inner = Inner {
            producer: Producer::new(connection)?,
            outcomes: Outcomes::start(connection).await?,
            ledger: ledger.clone(),
            topic: connection.names().ledger_requests(),
            timeout,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Makes or replaces an entity, and returns its new version once this process's view includes it.
    /// `expected_version`: 0 when it must not exist, None for whatever it has.
    pub async fn put(&self, entity: Entity, expected_version: Option<i64>) -> Result<i64, WriteError> {
        self.put_with_request_id(&new_request_id(), entity, expected_version)
            .await
    }

    /// As [`Writer::put`]. Repeating a call with the same `request_id` within 24 h applies it once and answers the same.
    pub async fn put_with_request_id(
        &self,
        request_id: &str,
        entity: Entity,
        expected_version: Option<i64>,
    ) -> Result<i64, WriteError> {
        self.put_with_answer(request_id, entity, expected_version, None)
            .await
            .map(|decided| decided.result)?
    }

    /// As [`Writer::put_with_request_id`]. `answer` is what the caller would be told, encrypted. Whoever repeats the
    /// request id within 24 h, in whatever process, gets the answer that came with the first request, also when that was
    /// refused. (As far as the clerk remembers: its last 100,000 outcomes, with 64 MiB of answers.)
    ///
    /// # Errors
    /// When nothing was decided, or it isn't known what.
    pub async fn put_with_answer(
        &self,
        request_id: &str,
        entity: Entity,
        expected_version: Option<i64>,
        answer: Option<Vec<u8>>,
    ) -> Result<Decided, WriteError> {
        rules::check_shape(&entity).map_err(WriteError::from)?;
        let bytes = entity.encode().map_err(|e| WriteError::Encode(e.to_string()))?;
        if entity.kind() != Kind::Schema {
            self.know_schema(&bytes).await?;
        }
        let request = LedgerRequest {
            answer,
            ..wanted(request_id, entity.kind(), entity.id(), expected_version, Some(bytes))
        };
        self.ask(request).await
    }

    /// What was decided under a request id, of all that was asked for before this call; None when nothing was, as far as the
    /// clerk remembers. Asking leaves nothing behind: the id stays free for a change.
    ///
    /// # Errors
    /// When it can't be known.
    pub async fn recall(&self, request_id: &str) -> Result<Option<Decided>, WriteError> {
        let question = recall::question(request_id, runtime::clock::now_ms());
        let outcome = self.outcome(&question).await?;
        if recall::is_unknown(&outcome) {
            return Ok(None);
        }
        self.conclude(outcome).await.map(Some)
    }

    /// Remembers the answer to a request that changed nothing in the ledger, as [`Writer::put_with_answer`] does with those
    /// that do. Returns what is remembered: the first answer under this id.
    ///
    /// # Errors
    /// When it isn't known whether it is remembered.
    pub async fn note(&self, request_id: &str, answer: Vec<u8>) -> Result<Option<Vec<u8>>, WriteError> {
        let note = recall::note(request_id, answer, runtime::clock::now_ms());
        Ok(self.outcome(&note).await?.answer)
    }

    /// Removes an entity. An endpoint isn't removed but put with status `deleted`.
    pub async fn remove(&self, kind: Kind, id: &str, expected_version: Option<i64>) -> Result<(), WriteError> {
        self.remove_with_request_id(&new_request_id(), kind, id, expected_version)
            .await
    }

    /// As [`Writer::remove`], repeatable like [`Writer::put_with_request_id`].
    pub async fn remove_with_request_id(
        &self,
        request_id: &str,
        kind: Kind,
        id: &str,
        expected_version: Option<i64>,
    ) -> Result<(), WriteError> {
        let request = wanted(request_id, kind, id, expected_version, None);
        self.ask(request).await?.result.map(drop)
    }

    /// Puts the schemas of all records that this build writes into the ledger, where they are missing: before a process
    /// first writes any of them.
    pub async fn register_schemas(&self) -> Result<(), WriteError> {
        let view = self.inner.ledger.view();
        let missing = codec::own_schemas()
            .into_iter()
            .filter(|(fingerprint, _, _)| !view.has_schema(*fingerprint));
        futures::future::try_join_all(missing.map(|(f, _, schema)| self.register(f, schema))).await?;
        Ok(())
    }

    async fn know_schema(&self, encoded: &[u8]) -> Result<(), WriteError> {
        let fingerprint = codec::fingerprint_of(encoded).map_err(|e| WriteError::Encode(e.to_string()))?;
        if self.inner.ledger.view().has_schema(fingerprint) {
            return Ok(());
        }
        match codec::own_schemas().into_iter().find(|(own, _, _)| *own == fingerprint) {
            Some((_, _, schema)) => self.register(fingerprint, schema).await,
            None => Ok(()),
        }
    }

    async fn register(&self, fingerprint: Fingerprint, schema: &str) -> Result<(), WriteError> {
        let entry = SchemaEntry {
            fingerprint: format!("{fingerprint:016x}"),
            schema: schema.to_owned(),
        };
        let entity = Entity::from(entry);
        let bytes = entity.encode().map_err(|e| WriteError::Encode(e.to_string()))?;
        let request = wanted(&new_request_id(), Kind::Schema, entity.id(), Some(0), Some(bytes));
        match self.ask(request).await?.result {
            Ok(_) => Ok(()),
            // Another process was first.
            Err(WriteError::Refused { code, .. }) if code == "exists" => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn ask(&self, request: LedgerRequest) -> Result<Decided, WriteError> {
        let outcome = self.outcome(&request).await?;
        self.conclude(outcome).await
    }

    async fn outcome(&self, request: &LedgerRequest) -> Result<LedgerOutcome, WriteError> {
        let value = codec::encode(request).map_err(|e| WriteError::Encode(e.to_string()))?;
        let record = Outgoing::new(&self.inner.topic, 0, format!("{}/{}", request.kind, request.id), value);
        let deadline = Instant::now() + self.inner.timeout;
        let mut expected = self.inner.outcomes.expect(&request.request_id);
        let decided = tokio::time::timeout_at(deadline, async {
            self.inner.producer.write(&record).await?;
            expected
                .outcome()
                .await
                .ok_or(WriteError::Kafka(kafka_log::Error::Stopped))
        });
        decided.await.map_err(|_| WriteError::NoClerk)?
    }

    async fn conclude(&self, outcome: LedgerOutcome) -> Result<Decided, WriteError> {
        if outcome.accepted {
            let end = outcome.ledger_offset + 1;
            let seen = self.inner.ledger.reach(end, VISIBLE_TIMEOUT).await;
            seen.map_err(WriteError::Unseen)?;
        }
        let result = match outcome.code.as_deref() {
            _ if outcome.accepted || recall::is_noted(&outcome) => Ok(outcome.version),
            Some("conflict") => Err(WriteError::Conflict {
                actual: outcome.version,
            }),
            code => Err(WriteError::Refused {
                code: code.unwrap_or("invalid").to_owned(),
                message: outcome.message.unwrap_or_else(|| "refused without a reason".to_owned()),
            }),
        };
        Ok(Decided {
            result,
            answer: outcome.answer,
        })
    }
}

/// What the clerk decided.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The entity's new version, or why the change was refused.
    pub result: Result<i64, WriteError>,
    /// What the first request of this id came with.
    pub answer: Option<Vec<u8>>,
}

fn wanted(
    request_id: &str,
    kind: Kind,
    id: &str,
    expected_version: Option<i64>,
    entity: Option<Vec<u8>>,
) -> LedgerRequest {
    LedgerRequest {
        request_id: request_id.to_owned(),
        requested_at_ms: runtime::clock::now_ms(),
        kind: kind.as_str().to_owned(),
        id: id.to_owned(),
        expected_version,
        entity,
        answer: None,
    }
}

fn new_request_id() -> String {
    ulid::Ulid::new().to_string()
}
