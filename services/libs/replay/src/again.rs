//! A delivery that the history knows, sent again from its event's body; or sent for the first time, to an endpoint that has
//! missed the event. What follows is for one transaction: the delivery itself, its dead letter taken away, and the log's
//! word of it.

use delivery_core::murmur2::partition;
use event_model::{Envelope, Event, ids, render};
use kafka_log::{Connection, Error, Names, Outgoing, Watermarks};
use schemas::{DeadLetter, Delivery, EncodeError, Endpoint, LogRecord, Matched, MatchedEndpoint, Replayed, encode};
use serde_json::value::RawValue;

/// Where the records go.
#[derive(Debug, Clone)]
pub struct Topics {
    names: Names,
    shards: i32,
    dlq_partitions: i32,
    log_partitions: i32,
}

/// One delivery to send again.
#[derive(Debug, Clone)]
pub struct Again<'a> {
    pub event: &'a Event,
    pub endpoint: &'a Endpoint,
    /// The generation that is over: the one that begins is the next.
    pub generation: i32,
    /// Attempts made so far, over all generations.
    pub attempts_made: i32,
    /// Who asks, for the log.
    pub by: &'a str,
}

/// The event that a `matched` record of the log holds; None: another record, a chunk without the body, or damaged.
#[must_use]
pub fn logged_event(record: &LogRecord, appended_ms: i64) -> Option<Event> {
    let matched = record.matched.as_ref().filter(|matched| matched.chunk == 0)?;
    let data = String::from_utf8(matched.data.clone()).ok()?;
    Some(Event {
        id: record.event_id.clone(),
        tenant: record.tenant.clone(),
        event_type: matched.event_type.clone(),
        occurred_at: matched.occurred_at.clone(),
        data: RawValue::from_string(data).ok()?,
        cloud_source: matched.cloud_source.clone(),
        traceparent: matched.traceparent.clone(),
        // v0.1.0 didn't keep it: it was appended soon after.
        timestamp_ms: if matched.event_time_ms > 0 {
            matched.event_time_ms
        } else {
            appended_ms
        },
        source: matched.source.clone(),
    })
}

impl Topics {
    /// Asks the brokers how many partitions there are.
    ///
    /// # Errors
    /// When they don't answer, or a topic is missing.
    pub async fn find(connection: &Connection) -> Result<Self, Error> {
        let (names, watermarks) = (connection.names().clone(), Watermarks::new(connection)?);
        Ok(Self {
            shards: watermarks.partitions(&names.returns()).await?,
            dlq_partitions: watermarks.partitions(&names.dlq()).await?,
            log_partitions: watermarks.partitions(&names.log()).await?,
            names,
        })
    }

    /// The records that send a delivery again: same id, type and time, in today's envelope.
    ///
    /// # Errors
    /// [`EncodeError`]: a defect.
    pub fn again(&self, of: &Again<'_>, now_ms: i64, out: &mut Vec<Outgoing>) -> Result<(), EncodeError> {
        let delivery = Delivery {
            generation: of.generation.saturating_add(1),
            attempts_made: of.attempts_made,
            cause: "replay".to_owned(),
            ..fresh(of.event, of.endpoint, now_ms)
        };
        self.bury(&delivery.delivery_id, of.generation, out);
        self.replayed(&delivery, of.by, now_ms, out)
    }

    /// A delivery whose next generation begins, and the log's word of it.
    pub(crate) fn replayed(
        &self,
        delivery: &Delivery,
        by: &str,
        now_ms: i64,
        out: &mut Vec<Outgoing>,
    ) -> Result<(), EncodeError> {
        let log = LogRecord {
            replayed: Some(Replayed {
                delivery_id: delivery.delivery_id.clone(),
                endpoint_id: delivery.endpoint_id.clone(),
                generation: delivery.generation,
                by: by.to_owned(),
            }),
            ..LogRecord::blank(&delivery.event_id, &delivery.tenant, &delivery.event_type, now_ms)
        };
        out.push(self.returned(delivery)?);
        out.push(self.logged(&log)?);
        Ok(())
    }

    /// The records that send an event to an endpoint for the first time, as if it had been matched now.
    ///
    /// # Errors
    /// [`EncodeError`]: a defect.
    pub fn first(
        &self,
        event: &Event,
        endpoint: &Endpoint,
        ledger_version: i64,
        now_ms: i64,
        out: &mut Vec<Outgoing>,
    ) -> Result<(), EncodeError> {
        let delivery = fresh(event, endpoint, now_ms);
        let log = LogRecord {
            matched: Some(Matched {
                event_type: event.event_type.clone(),
                occurred_at: event.occurred_at.clone(),
                data: event.data.get().as_bytes().to_vec(),
                source: event.source.clone(),
                ledger_version,
                chunk: 0,
                chunks: 1,
                endpoints: vec![MatchedEndpoint {
                    endpoint_id: endpoint.id.clone(),
                    delivery_id: delivery.delivery_id.clone(),
                }],
                event_time_ms: event.timestamp_ms,
                cloud_source: event.cloud_source.clone(),
                traceparent: event.traceparent.clone(),
            }),
            ..LogRecord::blank(&event.id, &event.tenant, &event.event_type, now_ms)
        };
        out.push(self.returned(&delivery)?);
        out.push(self.logged(&log)?);
        Ok(())
    }

    /// A tombstone for the letter of the generation that is over, and the mark of the next (see the crate's head).
    fn bury(&self, delivery_id: &str, generation: i32, out: &mut Vec<Outgoing>) {
        let at = partition(delivery_id.as_bytes(), self.dlq_partitions);
        let dlq = self.names.dlq();
        out.push(Outgoing::tombstone(
            &dlq,
            at,
            DeadLetter::key(delivery_id, generation).into_bytes(),
        ));
        let mark = DeadLetter::key(delivery_id, generation.saturating_add(1)).into_bytes();
        out.push(Outgoing::new(&dlq, at, mark, Vec::new()));
    }

    fn returned(&self, delivery: &Delivery) -> Result<Outgoing, EncodeError> {
        let key = delivery.endpoint_id.as_bytes();
        let shard = partition(key, self.shards);
        Ok(Outgoing::new(self.names.returns(), shard, key, encode(delivery)?))
    }

    fn logged(&self, record: &LogRecord) -> Result<Outgoing, EncodeError> {
        let key = record.event_id.as_bytes();
        let at = partition(key, self.log_partitions);
        Ok(Outgoing::new(self.names.log(), at, key, encode(record)?))
    }
}

/// Due at once, from the start of its schedule, as young as this moment.
fn fresh(event: &Event, endpoint: &Endpoint, now_ms: i64) -> Delivery {
    let envelope: Envelope = endpoint.envelope.parse().unwrap_or_default();
    let id = ids::delivery_id(&event.id, &endpoint.id);
    render(event, envelope).delivery(event, id, endpoint.id.clone(), now_ms)
}
