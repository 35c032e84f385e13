//! The records that follow from a verdict, as they are written: topic, partition, key and bytes.

use crate::{
    judge::{Matched, Target},
    place::Place,
    rejection::Rejection,
};
use delivery_core::murmur2::partition;
use event_model::{Envelope, Rendered, render};
use kafka_log::{Names, Outgoing};
use schemas::{DeadLetter, EncodeError, EventRejected, LogRecord, MatchedEndpoint, Settled, encode};

/// Partitions of these topics (`kafka_log::topics::fixed`).
const LOG_PARTITIONS: i32 = 16;
const DLQ_PARTITIONS: i32 = 8;
const REJECTED_PARTITIONS: i32 = 4;
/// Most endpoints in one `matched` record.
const CHUNK: usize = 1_000;
const ENDPOINT_DISABLED: &str = "endpoint_disabled";
const ENDPOINT_DELETED: &str = "endpoint_deleted";

/// Bodies of one event, each rendered once.
#[derive(Default)]
pub(crate) struct Bodies([Option<Rendered>; Envelope::ALL.len()]);

impl Bodies {
    fn of(&mut self, matched: &Matched, envelope: Envelope) -> &Rendered {
        let index = Envelope::ALL
            .iter()
            .position(|e| *e == envelope)
            .expect("it lists all envelopes");
        self.0[index].get_or_insert_with(|| render(&matched.event, envelope))
    }
}

impl Matched {
    /// How many `matched` records there are: at least one, so that the log says that the event was read.
    pub(crate) fn chunks(&self) -> usize {
        self.targets.len().div_ceil(CHUNK).max(1)
    }

    /// One of them.
    pub(crate) fn chunk(&self, number: usize, names: &Names) -> Result<Outgoing, EncodeError> {
        let targets = self.targets.iter().skip(number * CHUNK).take(CHUNK);
        let endpoints = targets.map(|target| MatchedEndpoint {
            endpoint_id: target.endpoint_id.to_string(),
            delivery_id: target.delivery_id.clone(),
        });
        let data = if number == 0 {
            self.event.data.get().as_bytes().to_vec()
        } else {
            Vec::new()
        };
        let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        self.log(names, |record| {
            record.matched = Some(schemas::Matched {
                event_type: self.event.event_type.clone(),
                occurred_at: self.event.occurred_at.clone(),
                data,
                source: self.event.source.clone(),
                ledger_version: self.ledger_version,
                chunk: count(number),
                chunks: count(self.chunks()),
                endpoints: endpoints.collect(),
                event_time_ms: self.event.timestamp_ms,
                cloud_source: self.event.cloud_source.clone(),
                traceparent: self.event.traceparent.clone(),
            });
        })
    }

    /// The delivery, or the dead letter, of a target; `None` when there is nothing to send any more.
    pub(crate) fn delivery(
        &self,
        target: &Target,
        bodies: &mut Bodies,
        names: &Names,
    ) -> Result<Option<Outgoing>, EncodeError> {
        if target.place == Place::Cancelled {
            return Ok(None);
        }
        let (id, endpoint) = (target.delivery_id.clone(), target.endpoint_id.to_string());
        let rendered = bodies.of(self, target.envelope);
        let delivery = rendered.delivery(&self.event, id, endpoint, self.matched_at_ms);
        Ok(Some(match target.place.delivery_topic(names, &target.endpoint_id) {
            Some((topic, partition)) => {
                Outgoing::new(topic, partition, target.endpoint_id.as_bytes(), encode(&delivery)?)
            }
            None => {
                let at = partition(target.delivery_id.as_bytes(), DLQ_PARTITIONS);
                let dead = DeadLetter {
                    delivery,
                    reason: ENDPOINT_DISABLED.to_owned(),
                    died_at_ms: self.matched_at_ms,
                };
                Outgoing::new(names.dlq(), at, target.delivery_id.as_bytes(), encode(&dead)?)
            }
        }))
    }

    /// The log record of a delivery that ends here.
    pub(crate) fn settled(&self, target: &Target, names: &Names) -> Result<Outgoing, EncodeError> {
        let (outcome, reason) = match target.place {
            Place::Cancelled => ("cancelled", ENDPOINT_DELETED),
            Place::Dead | Place::Lane(_) | Place::Dedicated(_) | Place::Returns(_) => ("dead", ENDPOINT_DISABLED),
        };
        self.log(names, |record| {
            record.settled = Some(Settled {
                delivery_id: target.delivery_id.clone(),
                endpoint_id: target.endpoint_id.to_string(),
                generation: 0,
                outcome: outcome.to_owned(),
                reason: reason.to_owned(),
            });
        })
    }

    fn log(&self, names: &Names, fill: impl FnOnce(&mut LogRecord)) -> Result<Outgoing, EncodeError> {
        let event = &self.event;
        let mut record = LogRecord::blank(&event.id, &event.tenant, &event.event_type, self.matched_at_ms);
        fill(&mut record);
        logged(&record, names)
    }
}

fn logged(record: &LogRecord, names: &Names) -> Result<Outgoing, EncodeError> {
    let key = record.event_id.as_bytes();
    Ok(Outgoing::new(
        names.log(),
        partition(key, LOG_PARTITIONS),
        key,
        encode(record)?,
    ))
}

impl Rejection {
    /// The record in `rejected`.
    pub(crate) fn outgoing(&self, names: &Names) -> Result<Outgoing, EncodeError> {
        Ok(Outgoing {
            topic: names.rejected(),
            partition: Some(partition(self.partition_key(), REJECTED_PARTITIONS)),
            key: self.key.clone(),
            value: Some(encode(&self.rejected)?),
            headers: Vec::new(),
        })
    }

    /// The record in `log`, of an event whose id and tenant are known.
    pub(crate) fn logged(&self, names: &Names) -> Result<Option<Outgoing>, EncodeError> {
        let rejected = &self.rejected;
        let (Some(event_id), Some(tenant)) = (&self.event_id, &rejected.tenant) else {
            return Ok(None);
        };
        let event_type = rejected.event_type.as_deref().unwrap_or_default();
        let mut record = LogRecord::blank(event_id, tenant, event_type, rejected.rejected_at_ms);
        record.rejected = Some(EventRejected {
            reason: rejected.reason.clone(),
            message: rejected.message.clone(),
            source: rejected.origin.clone(),
        });
        logged(&record, names).map(Some)
    }
}

#[cfg(test)]
mod tests;
