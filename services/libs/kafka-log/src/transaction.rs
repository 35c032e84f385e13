//! Transactions: records of several topics and the offsets they answer, all or nothing.
//!
//! librdkafka's transaction calls block; they run on the blocking pool. One transaction at a time a producer.

use crate::{
    Ack, Commit, Connection, Error, GroupMetadata, Outgoing,
    producer::{HandOver, Native, Reports, hand_over},
};
use rdkafka::{
    config::FromClientConfigAndContext,
    error::{KafkaError, RDKafkaErrorCode},
    producer::Producer as _,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Tries of one commit or offsets call whose outcome is still open.
const TRIES: usize = 6;
/// Most records in one transaction.
const MAX_RECORDS: usize = 50_000;

/// A producer with a transactional id: creating the next one with the same id fences this one.
pub struct TransactionalProducer {
    native: Arc<Native>,
    permits: Arc<Semaphore>,
    /// A transaction was begun and neither committed nor aborted.
    open: bool,
}

impl TransactionalProducer {
    /// Fences every predecessor with this id, aborts what it left hanging, and waits for that.
    pub async fn start(connection: &Connection, transactional_id: &str) -> Result<Self, Error> {
        let config = connection.client(
            &[
                ("linger.ms", "0"),
                ("topic.metadata.propagation.max.ms", "3000"),
                // A known topic that one broker didn't know for a moment is refused until it is asked for again.
                ("topic.metadata.refresh.interval.ms", "5000"),
                ("compression.type", "lz4"),
            ],
            &[
                ("transactional.id", transactional_id),
                ("transaction.timeout.ms", "10000"),
                ("message.timeout.ms", "8000"),
                ("acks", "all"),
                ("message.max.bytes", "2097152"),
                ("queue.buffering.max.messages", "100000"),
            ],
        );
        let native = Native::from_config_and_context(&config, Reports)
            .map_err(|e| Error::from_kafka(&e, "create a transactional producer"))?;
        let this = Self {
            native: Arc::new(native),
            permits: Arc::new(Semaphore::new(MAX_RECORDS)),
            open: false,
        };
        this.retried("init_transactions", |native| native.init_transactions(CALL_TIMEOUT))
            .await?;
        Ok(this)
    }

    /// Opens a transaction; aborts first what an earlier, dropped [`Transaction`] left open.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        if self.open {
            self.abort_open().await?;
        }
        self.native
            .begin_transaction()
            .map_err(|e| classify(&e, "begin a transaction"))?;
        self.open = true;
        Ok(Transaction { producer: self })
    }

    async fn abort_open(&mut self) -> Result<(), Error> {
        self.retried("abort a transaction", |native| native.abort_transaction(CALL_TIMEOUT))
            .await?;
        self.open = false;
        Ok(())
    }

    async fn retried(
        &self,
        what: &'static str,
        call: impl Fn(&Native) -> Result<(), KafkaError> + Send + 'static,
    ) -> Result<(), Error> {
        let native = self.native.clone();
        tokio::task::spawn_blocking(move || {
            let mut tries = 0;
            loop {
                tries += 1;
                match call(&native) {
                    Ok(()) => return Ok(()),
                    Err(KafkaError::Transaction(e)) if e.is_retriable() && !e.txn_requires_abort() && tries < TRIES => {
                        tracing::debug!(what, error = %e, "trying again");
                        std::thread::sleep(Duration::from_millis(100));
                    }
                    Err(error) => return Err(classify(&error, what)),
                }
            }
        })
        .await
        .map_err(|_| Error::Stopped)?
    }
}

/// An open transaction. Dropping it without [`Transaction::commit`] aborts it before the next one begins.
pub struct Transaction<'a> {
    producer: &'a mut TransactionalProducer,
}

impl Transaction<'_> {
    /// Adds a record. Its ack gives the offset; it is visible to readers only once the transaction commits.
    pub async fn send(&self, record: &Outgoing) -> Result<Ack, Error> {
        loop {
            let permit = self
                .producer
                .permits
                .clone()
                .acquire_owned()
                .await
                .map_err(|_| Error::Stopped)?;
            match hand_over(&self.producer.native, record, permit) {
                Err(HandOver::QueueFull) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(HandOver::Finished) => return Err(Error::Fenced("the producer has failed for good".into())),
                Err(HandOver::Failed(error)) => return Err(error),
                Ok(ack) => return Ok(ack),
            }
        }
    }

    /// Adds the offsets that the records answer. `group` must have been taken from the membership just now.
    pub async fn commit_offsets(&self, offsets: &[Commit], group: GroupMetadata) -> Result<(), Error> {
        let list = Commit::list(offsets)?;
        let what = "commit offsets in a transaction";
        self.producer
            .retried(what, move |native| {
                native.send_offsets_to_transaction(&list, &group.0, CALL_TIMEOUT)
            })
            .await
    }

    /// Ends the transaction. An error that [`Error::is_fenced`] finishes the producer: make a new one.
    pub async fn commit(self) -> Result<(), Error> {
        let result = self
            .producer
            .retried("commit a transaction", |native| native.commit_transaction(CALL_TIMEOUT))
            .await;
        match result {
            Ok(()) => {
                self.producer.open = false;
                Ok(())
            }
            Err(error) if error.is_fenced() => Err(error),
            Err(error) => {
                self.producer.abort_open().await?;
                Err(error)
            }
        }
    }

    /// Takes everything back.
    pub async fn abort(self) -> Result<(), Error> {
        self.producer.abort_open().await
    }
}

fn classify(error: &KafkaError, what: &str) -> Error {
    let KafkaError::Transaction(inner) = error else {
        return Error::from_kafka(error, what);
    };
    use RDKafkaErrorCode as Code;
    let text = format!("{what}: {inner}");
    match inner.code() {
        Code::ProducerFenced | Code::Fenced | Code::InvalidProducerEpoch | Code::InvalidTransactionalState => {
            Error::Fenced(text)
        }
        Code::UnknownMemberId | Code::IllegalGeneration | Code::FencedInstanceId => Error::NotAMember(text),
        _ if inner.is_fatal() => Error::Fenced(text),
        _ if inner.txn_requires_abort() => Error::Aborted(text),
        code => Error::from_code(code, what),
    }
}
