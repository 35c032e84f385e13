//! Bodies, which only the log holds: read by position when somebody looks.

use super::History;
use crate::error::ApiError;
use event_model::Event;
use kafka_log::TopicPartition;
use ledger::View;
use schemas::{AttemptLogged, LogRecord};
use std::collections::HashSet;

/// What the log still holds of one event.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    /// None: past its retention.
    pub event: Option<Event>,
    /// By number, then time. Those past their retention are missing.
    pub attempts: Vec<AttemptLogged>,
}

impl History {
    /// Reads the event at this position and the attempts at those, all in one partition of the log.
    ///
    /// # Errors
    /// 503 when the log can't be read.
    pub(crate) async fn bodies(
        &self,
        view: &View,
        partition: i32,
        event_offset: Option<i64>,
        attempts: &[i64],
    ) -> Result<Bodies, ApiError> {
        let wanted: HashSet<i64> = event_offset
            .into_iter()
            .filter(|offset| *offset >= 0)
            .chain(attempts.iter().copied())
            .collect();
        let mut offsets: Vec<i64> = wanted.into_iter().collect();
        offsets.sort_unstable();
        let at = TopicPartition::new(self.log.clone(), partition);
        let records = self.positions.read(at, offsets).await.map_err(|error| {
            tracing::warn!(%error, "bodies can't be read from the log");
            ApiError::unavailable("the log can't be read at the moment; try again", 2)
        })?;
        let mut bodies = Bodies::default();
        for record in records.into_iter().flatten() {
            let Some(value) = &record.value else { continue };
            let log: LogRecord = match schemas::decode(value, view) {
                Ok(log) => log,
                Err(error) => {
                    tracing::error!(partition, offset = record.offset, %error, "a record of the log can't be read");
                    continue;
                }
            };
            if Some(record.offset) == event_offset {
                bodies.event = replay::logged_event(&log, record.timestamp_ms);
            }
            bodies.attempts.extend(log.attempt);
        }
        bodies
            .attempts
            .sort_by_key(|attempt| (attempt.number, attempt.started_at_ms));
        Ok(bodies)
    }
}
