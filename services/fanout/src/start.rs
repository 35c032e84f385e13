//! Where a partition is begun: at its committed offset, else where the source's setting says, which is committed at once,
//! so that a restart before the first event decides nothing anew.

use crate::{Error, StartAt, worker::Worker};
use kafka_log::{ReadOptions, Start};
use std::time::Duration;

const RETRY: Duration = Duration::from_secs(1);

impl Worker {
    /// Begins to read; returns once the starting offset is committed. Waits for brokers that don't answer.
    pub(crate) async fn begin(&mut self) -> Result<(), Error> {
        loop {
            match self.try_begin().await {
                Err(Error::Kafka(error)) if error.is_retryable() || is_gone(&error) => {
                    tracing::warn!(partition = %self.partition, %error, "not read yet");
                }
                other => return other,
            }
            tokio::select! {
                () = self.stop.cancelled() => return Err(Error::Stopped),
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    async fn try_begin(&mut self) -> Result<(), Error> {
        let committed = self.shared.membership.committed(vec![self.partition.clone()]).await?;
        let committed = committed
            .into_iter()
            .find(|c| c.partition == self.partition)
            .and_then(|c| c.offset);
        let start = match (committed, self.source.start) {
            (Some(offset), _) => Start::Offset(offset),
            (None, StartAt::Earliest) => Start::Beginning,
            (None, StartAt::Latest) => Start::End,
            (None, StartAt::Time(ms)) => Start::Time(ms),
        };
        let options = ReadOptions {
            window_bytes: self.shared.limits.max_bytes,
            report_reached: true,
            ..ReadOptions::new(start)
        };
        self.next = self
            .shared
            .reader
            .add(self.partition.clone(), options, self.sink.clone())
            .await?;
        tracing::info!(partition = %self.partition, offset = self.next, "reading");
        if committed != Some(self.next) {
            self.commit(self.shared.output.projection.ledger_version()).await?;
        }
        Ok(())
    }
}

/// A source topic may be deleted while it is being assigned: then it is revoked soon.
fn is_gone(error: &kafka_log::Error) -> bool {
    matches!(error, kafka_log::Error::UnknownTopic(_))
}
