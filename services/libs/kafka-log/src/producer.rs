//! Idempotent writing: `acks=all`, in order, with a bounded number of records under way.

use crate::{Connection, Error};
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig, ClientContext, Message,
    config::FromClientConfigAndContext,
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Most records under way in one producer.
const MAX_IN_FLIGHT: usize = 20_000;

/// A record to write. Always give a partition where one means something: librdkafka's own partitioner is CRC32.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    pub topic: String,
    pub partition: Option<i32>,
    pub key: Option<Vec<u8>>,
    /// None: a tombstone.
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Outgoing {
    pub fn new(topic: impl Into<String>, partition: i32, key: impl Into<Vec<u8>>, value: Vec<u8>) -> Self {
        Self {
            topic: topic.into(),
            partition: Some(partition),
            key: Some(key.into()),
            value: Some(value),
            headers: Vec::new(),
        }
    }

    pub fn tombstone(topic: impl Into<String>, partition: i32, key: impl Into<Vec<u8>>) -> Self {
        Self {
            topic: topic.into(),
            partition: Some(partition),
            key: Some(key.into()),
            value: None,
            headers: Vec::new(),
        }
    }
}

/// Where an acknowledged record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub partition: i32,
    pub offset: i64,
}

/// Resolves when the brokers have the record (all in-sync replicas), or it is certain that it was given up.
#[derive(Debug)]
pub struct Ack(oneshot::Receiver<Result<Position, Error>>);

impl Future for Ack {
    type Output = Result<Position, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll(cx)).unwrap_or(Err(Error::Stopped)))
    }
}

pub(crate) struct Waiter {
    done: oneshot::Sender<Result<Position, Error>>,
    _permit: OwnedSemaphorePermit,
}

/// Turns delivery reports into [`Ack`]s.
#[derive(Debug)]
pub(crate) struct Reports;

impl ClientContext for Reports {
    fn error(&self, error: rdkafka::error::KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka producer");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Waiter>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiter: Box<Waiter>) {
        let outcome = match result {
            Ok(message) => Ok(Position {
                partition: message.partition(),
                offset: message.offset(),
            }),
            Err((error, message)) => Err(Error::from_kafka(error, message.topic())),
        };
        // The receiver may have stopped waiting: then nobody relies on the record.
        let _ = waiter.done.send(outcome);
    }
}

pub(crate) type Native = ThreadedProducer<Reports>;

/// Idempotent producer. Cheap to clone.
#[derive(Clone)]
pub struct Producer {
    inner: Arc<Inner>,
    permits: Arc<Semaphore>,
}

struct Inner {
    config: ClientConfig,
    /// Replaced when it has failed for good.
    native: Mutex<Arc<Native>>,
}

impl Producer {
    /// For whom each millisecond counts: records wait at most 2 ms for others.
    pub fn new(connection: &Connection) -> Result<Self, Error> {
        Self::with_linger(connection, Duration::from_millis(2))
    }

    /// Records wait up to `linger` for others to the same partition: the brokers' work is per batch, not per record.
    pub fn with_linger(connection: &Connection, linger: Duration) -> Result<Self, Error> {
        let linger_ms = linger.as_millis().to_string();
        let config = connection.client(
            &[
                ("linger.ms", linger_ms.as_str()),
                ("message.timeout.ms", "30000"),
                ("topic.metadata.propagation.max.ms", "3000"),
                // A known topic that one broker didn't know for a moment is refused until it is asked for again.
                ("topic.metadata.refresh.interval.ms", "5000"),
                ("compression.type", "lz4"),
                ("queue.buffering.max.kbytes", "131072"),
            ],
            &[
                ("enable.idempotence", "true"),
                ("acks", "all"),
                ("message.max.bytes", "2097152"),
                ("queue.buffering.max.messages", "100000"),
            ],
        );
        let native = Mutex::new(make(&config)?);
        Ok(Self {
            inner: Arc::new(Inner { config, native }),
            permits: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
        })
    }

    /// Hands the record to the client and returns at once when fewer than 20,000 are under way, else waits for room.
    /// Records of one caller keep their order. Dropping the [`Ack`] doesn't take the record back.
    pub async fn send(&self, record: &Outgoing) -> Result<Ack, Error> {
        loop {
            let permit = self.permits.clone().acquire_owned().await.map_err(|_| Error::Stopped)?;
            let native = self.inner.native.lock().clone();
            match hand_over(&native, record, permit) {
                Err(HandOver::QueueFull) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(HandOver::Finished) => self.inner.renew(native)?,
                Err(HandOver::Failed(error)) => return Err(error),
                Ok(ack) => return Ok(ack),
            }
        }
    }

    /// Sends and waits for the acknowledgement.
    pub async fn write(&self, record: &Outgoing) -> Result<Position, Error> {
        self.send(record).await?.await
    }

    /// Sends all, then waits for all; the first error of any. Others may have been written all the same.
    pub async fn write_all(&self, records: &[Outgoing]) -> Result<Vec<Position>, Error> {
        let mut acks = Vec::with_capacity(records.len());
        for record in records {
            acks.push(self.send(record).await?);
        }
        let mut positions = Vec::with_capacity(acks.len());
        for ack in acks {
            positions.push(ack.await?);
        }
        Ok(positions)
    }

    /// Waits until everything sent so far is acknowledged or given up.
    pub async fn flush(&self, timeout: Duration) -> Result<(), Error> {
        let native = self.inner.native.lock().clone();
        tokio::task::spawn_blocking(move || native.flush(timeout).map_err(|e| Error::from_kafka(&e, "flush")))
            .await
            .map_err(|_| Error::Stopped)?
    }
}

impl Inner {
    /// Takes a new client when `finished` is still the one in use: it takes no record any more, and those that it had
    /// have failed.
    fn renew(&self, finished: Arc<Native>) -> Result<(), Error> {
        let mut native = self.native.lock();
        if Arc::ptr_eq(&native, &finished) {
            let reason = finished.client().fatal_error();
            tracing::error!(?reason, "the producer has failed for good; a new one takes its place");
            *native = make(&self.config)?;
            // Dropping a client waits for its thread.
            std::thread::spawn(move || drop(finished));
        }
        Ok(())
    }
}

fn make(config: &ClientConfig) -> Result<Arc<Native>, Error> {
    ThreadedProducer::from_config_and_context(config, Reports)
        .map(Arc::new)
        .map_err(|e| Error::from_kafka(&e, "create a producer"))
}

pub(crate) enum HandOver {
    QueueFull,
    /// The client has failed for good.
    Finished,
    Failed(Error),
}

pub(crate) fn hand_over(native: &Native, record: &Outgoing, permit: OwnedSemaphorePermit) -> Result<Ack, HandOver> {
    let (done, ack) = oneshot::channel();
    let waiter = Box::new(Waiter { done, _permit: permit });
    let mut base: BaseRecord<'_, [u8], [u8], Box<Waiter>> = BaseRecord::with_opaque_to(&record.topic, waiter);
    base.partition = record.partition;
    base.key = record.key.as_deref();
    base.payload = record.value.as_deref();
    if !record.headers.is_empty() {
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (key, value) in &record.headers {
            headers = headers.insert(Header {
                key,
                value: Some(value),
            });
        }
        base.headers = Some(headers);
    }
    use rdkafka::error::RDKafkaErrorCode as Code;
    match native.send(base) {
        Ok(()) => Ok(Ack(ack)),
        Err((error, _)) => Err(match error.rdkafka_error_code() {
            Some(Code::QueueFull) => HandOver::QueueFull,
            Some(Code::Fatal) => HandOver::Finished,
            Some(Code::MessageSizeTooLarge) => HandOver::Failed(Error::TooLarge {
                topic: record.topic.clone(),
                bytes: record.value.as_ref().map(Vec::len),
            }),
            _ => HandOver::Failed(Error::from_kafka(&error, &record.topic)),
        }),
    }
}
