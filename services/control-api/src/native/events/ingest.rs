//! Where published events go: the topic `ingest`, which fan-out always reads. Bounded in what is held and in how long it
//! waits for Kafka.

use super::MAX_BODY_BYTES;
use crate::error::ApiError;
use http::{HeaderMap, header};
use kafka_log::{Connection, Error, Outgoing, Producer};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

/// Bodies of all requests that are under way.
const ROOM_KIB: u32 = 64 << 10;
/// How long a request waits for room before it is turned away.
const ROOM_TIMEOUT: Duration = Duration::from_secs(2);
/// How long Kafka may take to acknowledge all events of a request.
const ACK_TIMEOUT: Duration = Duration::from_secs(15);
const RETRY_SEC: u64 = 2;

pub(crate) struct Ingest {
    producer: Producer,
    topic: String,
    room: Arc<Semaphore>,
}

impl Ingest {
    pub(crate) fn new(connection: &Connection) -> Result<Self, Error> {
        Ok(Self {
            producer: Producer::new(connection)?,
            topic: connection.names().ingest(),
            room: Arc::new(Semaphore::new(ROOM_KIB as usize)),
        })
    }

    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Room for a request's body, to be held until it is answered.
    ///
    /// # Errors
    /// 503 when others have taken all of it.
    pub(super) async fn room_for(&self, headers: &HeaderMap) -> Result<OwnedSemaphorePermit, ApiError> {
        let said = headers.get(header::CONTENT_LENGTH);
        let said = said.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let bytes = said.unwrap_or(MAX_BODY_BYTES).min(MAX_BODY_BYTES);
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(ROOM_KIB);
        match timeout(ROOM_TIMEOUT, self.room.clone().acquire_many_owned(kib)).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(ApiError::unavailable(
                "more is being published than Kafka takes; nothing of this was written, send it again",
                RETRY_SEC,
            )),
        }
    }

    /// Writes all, and says of each, in their order, whether all in-sync replicas have it.
    pub(super) async fn write(&self, records: &[Outgoing]) -> Vec<Result<(), ApiError>> {
        let deadline = Instant::now() + ACK_TIMEOUT;
        let mut acks = Vec::with_capacity(records.len());
        for record in records {
            acks.push(timeout_at(deadline, self.producer.send(record)).await);
        }
        let mut written = Vec::with_capacity(acks.len());
        for ack in acks {
            written.push(match ack {
                Ok(Ok(ack)) => match timeout_at(deadline, ack).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(failed(&error)),
                    Err(_) => Err(not_taken()),
                },
                Ok(Err(error)) => Err(failed(&error)),
                Err(_) => Err(not_taken()),
            });
        }
        if written.iter().any(Result::is_err) {
            tracing::warn!(
                topic = self.topic,
                events = records.len(),
                "events could not be published"
            );
        }
        written
    }
}

fn failed(error: &Error) -> ApiError {
    tracing::debug!(%error, "an event could not be published");
    not_taken()
}

/// Nobody knows whether it is written yet.
pub(super) fn not_taken() -> ApiError {
    ApiError::unavailable(
        "kafka didn't acknowledge it in time, so it isn't known whether it was published; send it again, with the same \
         Idempotency-Key or the event's own id, and nobody gets it twice for that",
        RETRY_SEC,
    )
}
