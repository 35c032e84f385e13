//! A page, written in transactions.

use super::{
    job::Running,
    page::{Item, Page},
};
use crate::Error;
use kafka_log::Outgoing;
use replay::{Again, transact_retrying};
use runtime::{clock::now_ms, crash_point};
use schemas::Endpoint;

/// Of bodies in one transaction.
const MAX_BYTES: usize = 4 << 20;

impl Running<'_> {
    /// Sends all of it. After an error some of it may be sent: begin again with what the log says then. To be stopped is
    /// such an error, too: whoever goes on must not believe that the page's end was reached.
    pub(super) async fn send(&mut self, page: Page, endpoint: &Endpoint) -> Result<(), Error> {
        let (mut records, mut sent, mut bytes) = (Vec::new(), 0, 0);
        for item in page.items {
            if self.office.stop.is_cancelled() {
                return Err(kafka_log::Error::Stopped.into());
            }
            match self.records(&item, endpoint, &mut records) {
                Some(body) => {
                    sent += 1;
                    bytes += body;
                }
                None => self.state.gone += 1,
            }
            if sent >= self.pace.batch as usize || bytes >= MAX_BYTES {
                self.write(&mut records, sent).await?;
                (sent, bytes) = (0, 0);
            }
        }
        if sent > 0 {
            self.write(&mut records, sent).await?;
        }
        Ok(())
    }

    /// Adds what sends an item, and says how large its body is; None: its body isn't kept any more.
    fn records(&self, item: &Item, endpoint: &Endpoint, out: &mut Vec<Outgoing>) -> Option<usize> {
        let now_ms = now_ms();
        let (made, event) = match item {
            Item::Again { event: None, .. } => return None,
            Item::Again {
                delivery,
                event: Some(event),
            } => {
                let again = Again {
                    event,
                    endpoint,
                    generation: delivery.outcome.generation,
                    attempts_made: delivery.attempt_count(),
                    by: &self.job.id,
                };
                (self.topics.again(&again, now_ms, out), event)
            }
            Item::First(event) => {
                let version = self.office.ledger.view().position();
                (self.topics.first(event, endpoint, version, now_ms, out), event)
            }
        };
        if let Err(error) = made {
            tracing::error!(event = event.id, %error, "a delivery can't be written");
            return None;
        }
        Some(event.data.get().len())
    }

    async fn write(&mut self, records: &mut Vec<Outgoing>, deliveries: usize) -> Result<(), Error> {
        // A slow pace must not outlast the office.
        let stop = self.office.stop.clone();
        if stop.run_until_cancelled(self.pace.wait(deliveries)).await.is_none() {
            return Err(kafka_log::Error::Stopped.into());
        }
        transact_retrying(&mut self.producer, records).await?;
        crash_point("history.job_after_batch");
        records.clear();
        self.job.done += deliveries as i64;
        metrics::counter!("hookline_job_deliveries_total").increment(deliveries as u64);
        Ok(())
    }
}
