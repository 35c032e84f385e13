//! Telling receivers how far reading has come when no record says so: transaction markers take up offsets too.

use super::{Item, worker::Worker};
use crate::TopicPartition;
use rdkafka::{Offset, consumer::Consumer};
use tokio::sync::mpsc::error::TrySendError;

impl Worker {
    /// Reports each partition whose position has moved since the last report and whose records are all handed on.
    pub(super) fn report_reached(&mut self) {
        if !self.readings.any_wants_reached() {
            return;
        }
        let Ok(positions) = self.consumer.position() else {
            return;
        };
        let mut gone = Vec::new();
        for element in positions.elements() {
            let Some(reading) = self.readings.get_mut(element.topic(), element.partition()) else {
                continue;
            };
            let offset = match element.offset() {
                Offset::Offset(offset) => offset.max(reading.next),
                _ => reading.next,
            };
            if !reading.report_reached || !reading.held.is_empty() || offset <= reading.reported {
                continue;
            }
            let partition = TopicPartition::new(element.topic(), element.partition());
            match reading.sink.try_send(Item::Reached {
                partition: partition.clone(),
                offset,
            }) {
                Ok(()) => reading.reported = offset,
                // Full: reported at the next quiet moment.
                Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Closed(_)) => gone.push(partition),
            }
        }
        for partition in gone {
            self.remove(&partition);
        }
    }
}
