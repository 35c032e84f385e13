//! Sends one delivery again, in one transaction, and waits until the history says so. Two requests for the same delivery
//! take turns in a process; what two processes send at once has the same delivery, generation and attempt, and the owner
//! of the endpoint's shard drops the second.

use crate::error::ApiError;
use event_model::Event;
use history_store::{Delivery, Outcome, Replay, Status, Store};
use kafka_log::{Connection, TransactionalProducer, Watermarks};
use replay::{Again, Topics, transact};
use runtime::clock::now_ms;
use schemas::Endpoint;
use std::{collections::HashSet, time::Duration};
use tokio::{
    sync::{Mutex, Notify, OnceCell},
    time::{Instant, sleep},
};

/// How long it is waited for the history to show a replay that was made.
const SHOWN_WITHIN: Duration = Duration::from_secs(3);
/// How long it is waited for the history to know what the log holds.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const TRIES: usize = 4;
const RETRY: Duration = Duration::from_millis(200);

/// What is to be sent.
pub(crate) struct Wanted<'a> {
    pub event: &'a Event,
    pub endpoint: &'a Endpoint,
    /// Who asks: what a repeat of the same request is recognised by.
    pub by: &'a str,
}

pub(crate) struct Replayer {
    connection: Connection,
    store: Store,
    /// This process's: its next producer fences the one before.
    transactional_id: String,
    /// Made when it is first needed.
    producer: Mutex<Option<(TransactionalProducer, Topics)>>,
    watermarks: OnceCell<Watermarks>,
    busy: parking_lot::Mutex<HashSet<String>>,
    freed: Notify,
}

/// The turn of one delivery.
pub(crate) struct Turn<'a> {
    replayer: &'a Replayer,
    id: String,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.replayer.busy.lock().remove(&self.id);
        self.replayer.freed.notify_waiters();
    }
}

impl Replayer {
    pub(super) fn new(connection: &Connection, store: Store) -> Self {
        Self {
            transactional_id: connection
                .names()
                .single_replay_transaction(&ulid::Ulid::new().to_string()),
            connection: connection.clone(),
            store,
            producer: Mutex::new(None),
            watermarks: OnceCell::new(),
            busy: parking_lot::Mutex::default(),
            freed: Notify::new(),
        }
    }

    /// Waits until nobody else in this process replays this delivery.
    pub(crate) async fn turn(&self, delivery_id: &str) -> Turn<'_> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // From here on no wake-up is missed.
            freed.as_mut().enable();
            if self.busy.lock().insert(delivery_id.to_owned()) {
                return Turn {
                    replayer: self,
                    id: delivery_id.to_owned(),
                };
            }
            freed.await;
        }
    }

    /// Waits until the history knows all that this partition of the log holds by now. By what it knew before, a delivery
    /// could be sent under a number that it was sent under already, and be dropped for a repeat.
    ///
    /// # Errors
    /// 503 when it lags behind for longer, or Kafka doesn't answer.
    pub(crate) async fn caught_up(&self, log_partition: i32) -> Result<(), ApiError> {
        let unanswered = |error: kafka_log::Error| {
            tracing::warn!(%error, "the log's end is not known");
            ApiError::unavailable("kafka does not answer at the moment; try again", 2)
        };
        let make = async || Watermarks::new(&self.connection);
        let watermarks = self.watermarks.get_or_try_init(make).await.map_err(unanswered)?;
        let log = self.connection.names().log();
        let (first, end) = watermarks.range(&log, log_partition).await.map_err(unanswered)?;
        let deadline = Instant::now() + CAUGHT_UP_WITHIN;
        let is_there = async || {
            let offsets = self.store.next_offsets().await?;
            let next = offsets.get(&log_partition);
            Ok::<_, ApiError>(first == end || next.is_some_and(|next| *next >= end))
        };
        while !is_there().await? {
            if Instant::now() >= deadline {
                let message =
                    "the history lags behind the log, so it isn't known what has become of this delivery; try again";
                return Err(ApiError::unavailable(message, 5));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Sends a delivery again that has come to its end, and returns it as it then was: pending. (The history may know
    /// more by now.)
    ///
    /// # Errors
    /// 503 when Kafka doesn't take it. It may have been sent all the same only when the answer says so.
    pub(crate) async fn replay(
        &self,
        _turn: &Turn<'_>,
        delivery: &Delivery,
        wanted: &Wanted<'_>,
    ) -> Result<Delivery, ApiError> {
        self.write(delivery, wanted).await?;
        let deadline = Instant::now() + SHOWN_WITHIN;
        while Instant::now() < deadline {
            let shown = self.store.delivery(&delivery.tenant, &delivery.id).await;
            if let Ok(Some(shown)) = shown
                && shown.outcome.generation > delivery.outcome.generation
            {
                break;
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(begun(delivery, wanted.by))
    }

    async fn write(&self, delivery: &Delivery, wanted: &Wanted<'_>) -> Result<(), ApiError> {
        let mut place = self.producer.lock().await;
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.try_write(&mut place, delivery, wanted).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            // Aborted: it has certainly come to nothing. Else the next producer's start decides what became of it, and a
            // second one is recognised by the owner of the shard.
            if !matches!(error, kafka_log::Error::Aborted(_)) {
                *place = None;
            }
            if tries >= TRIES {
                tracing::warn!(%error, "a delivery can't be sent again");
                return Err(ApiError::unavailable(
                    "kafka does not take the replay at the moment; try again",
                    2,
                ));
            }
            sleep(RETRY).await;
        }
    }

    async fn try_write(
        &self,
        place: &mut Option<(TransactionalProducer, Topics)>,
        delivery: &Delivery,
        wanted: &Wanted<'_>,
    ) -> Result<(), kafka_log::Error> {
        if place.is_none() {
            let producer = TransactionalProducer::start(&self.connection, &self.transactional_id).await?;
            *place = Some((producer, Topics::find(&self.connection).await?));
        }
        let Some((producer, topics)) = place else {
            return Err(kafka_log::Error::Stopped);
        };
        let again = Again {
            event: wanted.event,
            endpoint: wanted.endpoint,
            generation: delivery.outcome.generation,
            attempts_made: delivery.attempt_count(),
            by: wanted.by,
        };
        let mut records = Vec::new();
        topics
            .again(&again, now_ms(), &mut records)
            .map_err(|error| kafka_log::Error::Other(error.to_string()))?;
        transact(producer, &records).await
    }
}

/// As the history will show it.
fn begun(delivery: &Delivery, by: &str) -> Delivery {
    let (at_ms, generation) = (now_ms(), delivery.outcome.generation + 1);
    Delivery {
        updated_at_ms: at_ms,
        outcome: Outcome {
            generation,
            status: Status::Pending,
            at_ms,
            reason: None,
        },
        replay: Some(Replay {
            generation,
            at_ms,
            by: by.to_owned(),
        }),
        ..delivery.clone()
    }
}
