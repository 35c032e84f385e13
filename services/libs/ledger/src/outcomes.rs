//! Hands outcomes of `ledger.outcomes` to whoever waits for them in this process. One reader a process, from the end.

use crate::Error;
use kafka_log::{Connection, Item, ReadOptions, Reader, ReaderOptions, Start, TopicPartition};
use parking_lot::Mutex;
use schemas::{
    LedgerOutcome,
    codec::{self, OwnSchemas},
};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{mpsc, oneshot};

type Waiting = Arc<Mutex<HashMap<String, Vec<oneshot::Sender<LedgerOutcome>>>>>;

/// Where outcomes arrive. Reading stops when it is dropped.
pub(crate) struct Outcomes {
    waiting: Waiting,
    _reader: Reader,
}

impl Outcomes {
    pub(crate) async fn start(connection: &Connection) -> Result<Self, Error> {
        let reader = Reader::start(connection, &ReaderOptions::new("ledger.outcomes"))?;
        let (sink, items) = mpsc::channel(1024);
        let partition = TopicPartition::new(connection.names().ledger_outcomes(), 0);
        reader.add(partition, ReadOptions::new(Start::End), sink).await?;
        let waiting = Waiting::default();
        tokio::spawn(hand_out(waiting.clone(), items));
        Ok(Self {
            waiting,
            _reader: reader,
        })
    }

    /// Waits for the outcome of a request. Call before the request is sent.
    pub(crate) fn expect(&self, request_id: &str) -> Expected {
        let (sender, outcome) = oneshot::channel();
        self.waiting
            .lock()
            .entry(request_id.to_owned())
            .or_default()
            .push(sender);
        Expected {
            outcome,
            request_id: request_id.to_owned(),
            waiting: self.waiting.clone(),
        }
    }
}

/// A place in the queue for one outcome, given back when dropped.
pub(crate) struct Expected {
    outcome: oneshot::Receiver<LedgerOutcome>,
    request_id: String,
    waiting: Waiting,
}

impl Expected {
    /// None when the reader has stopped.
    pub(crate) async fn outcome(&mut self) -> Option<LedgerOutcome> {
        (&mut self.outcome).await.ok()
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.outcome.close();
        let mut waiting = self.waiting.lock();
        if let Some(senders) = waiting.get_mut(&self.request_id) {
            senders.retain(|s| !s.is_closed());
            if senders.is_empty() {
                waiting.remove(&self.request_id);
            }
        }
    }
}

async fn hand_out(waiting: Waiting, mut items: mpsc::Receiver<Item>) {
    while let Some(item) = items.recv().await {
        let Item::Record(record) = item else { continue };
        let outcome: LedgerOutcome = match codec::decode(record.value.as_deref().unwrap_or_default(), &OwnSchemas) {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(offset = record.offset, %error, "an outcome can't be read; whoever waits for it will time out");
                continue;
            }
        };
        let senders = waiting.lock().remove(&outcome.request_id).unwrap_or_default();
        for sender in senders {
            // Whoever stopped waiting wants no answer.
            let _ = sender.send(outcome.clone());
        }
    }
}
