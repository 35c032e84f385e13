//! How endpoints that aren't well are doing: what their shards' owners write to the topic `health`, a few seconds behind.
//! In memory are only those, so as many as the topic has keys. Not here: the rules of failing (`delivery_core::health`).

use kafka_log::{Connection, Error, Item, ReadOptions, Reader, ReaderOptions, Record, Start, TopicPartition};
use ledger::Ledger;
use parking_lot::RwLock;
use runtime::clock::rfc3339;
use schemas::{Endpoint, Health, codec};
use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::sleep};

/// After an error, such as a topic that isn't there yet. What is known until then is shown on.
const PAUSE: Duration = Duration::from_secs(5);
/// Records between the reader's thread and the figures.
const AHEAD: usize = 256;

/// Endpoints that failed the last time they were tried, by id. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Unhealthy(Arc<RwLock<HashMap<String, Failing>>>);

struct Failing {
    tenant: String,
    failures: Failures,
}

/// An endpoint's failures since its last success, or since it was changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    pub count: i64,
    pub last_at_ms: Option<i64>,
}

impl Failures {
    pub(crate) fn last_at(self) -> Option<String> {
        self.last_at_ms.map(rfc3339)
    }
}

impl Unhealthy {
    /// An endpoint's failures; those that it was disabled for are kept in the ledger. Whoever changes an endpoint begins
    /// anew, so what was written down before doesn't count.
    pub(crate) fn of(&self, endpoint: &Endpoint) -> Failures {
        let kept = Failures {
            count: endpoint.consecutive_failures.unwrap_or(0),
            last_at_ms: endpoint.last_failure_at_ms,
        };
        let all = self.0.read();
        let written = all.get(&endpoint.id).filter(|failing| {
            let counts = failing.failures.last_at_ms >= Some(endpoint.updated_at_ms);
            failing.tenant == endpoint.tenant && counts
        });
        written.map_or(kept, |failing| failing.failures)
    }

    fn insert(&self, written: Health) {
        let failing = Failing {
            tenant: written.tenant,
            failures: Failures {
                count: written.consecutive_failures,
                last_at_ms: Some(written.last_failure_at_ms),
            },
        };
        self.0.write().insert(written.endpoint_id, failing);
    }

    fn remove(&self, endpoint_id: &str) {
        self.0.write().remove(endpoint_id);
    }

    /// Without its figures an endpoint is shown all the same, so what can't be read is passed over.
    fn take(&self, record: &Record, ledger: &Ledger) {
        let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default());
        match record.value.as_deref().map(|value| codec::decode(value, ledger)) {
            Some(Ok(written)) => self.insert(written),
            None => self.remove(&key),
            Some(Err(error)) => {
                tracing::warn!(endpoint = %key, %error, "its health can't be read and isn't shown");
                self.remove(&key);
            }
        }
    }
}

/// Keeps the figures as the topic has them. Neither a topic that is missing nor brokers that are away end it.
pub(crate) async fn follow(
    connection: &Connection,
    ledger: &Ledger,
    partitions: i32,
    unhealthy: &Unhealthy,
) -> Infallible {
    loop {
        let error = read(connection, ledger, partitions, unhealthy).await;
        tracing::warn!(%error, "endpoints' health can't be read; it is begun anew");
        sleep(PAUSE).await;
        // Who has recovered meanwhile may have left no trace.
        unhealthy.0.write().clear();
    }
}

/// Until the reader stops.
async fn read(connection: &Connection, ledger: &Ledger, partitions: i32, unhealthy: &Unhealthy) -> Error {
    // Few and small, and mostly nothing new.
    let options = ReaderOptions {
        prefetch_bytes: 1 << 20,
        fetch_bytes: 256 << 10,
        fetch_wait: Duration::from_millis(500),
        ..ReaderOptions::new("health of endpoints")
    };
    let reader = match Reader::start(connection, &options) {
        Ok(reader) => reader,
        Err(error) => return error,
    };
    let (sink, mut items) = mpsc::channel(AHEAD);
    let topic = connection.names().health();
    let taking = async {
        while let Some(item) = items.recv().await {
            if let Item::Record(record) = item {
                unhealthy.take(&record, ledger);
            }
        }
    };
    tokio::join!(add(&reader, &topic, partitions, sink), taking);
    Error::Stopped
}

/// Begins to read each partition, as soon as it can be.
async fn add(reader: &Reader, topic: &str, partitions: i32, sink: mpsc::Sender<Item>) {
    for number in 0..partitions {
        let partition = TopicPartition::new(topic, number);
        loop {
            let options = ReadOptions::new(Start::Beginning);
            match reader.add(partition.clone(), options, sink.clone()).await {
                Ok(_) => break,
                Err(Error::Stopped) => return,
                Err(error) => {
                    tracing::warn!(%partition, %error, "endpoints' health can't be read yet");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::entities;

    fn health(endpoint: &Endpoint, last_failure_at_ms: i64) -> Health {
        Health {
            endpoint_id: endpoint.id.clone(),
            tenant: endpoint.tenant.clone(),
            consecutive_failures: 3,
            failing_since_ms: 1,
            last_failure_at_ms,
            circuit: "closed".into(),
            opened_at_ms: None,
            probes_made: 0,
        }
    }

    #[test]
    fn an_endpoint_has_its_own_failures_since_it_was_changed_else_those_of_the_ledger() {
        let unhealthy = Unhealthy::default();
        let mut endpoint = entities::new_endpoint("org_1", "https://example.com", Vec::new(), 100);
        assert_eq!(unhealthy.of(&endpoint), Failures::default());
        let written = Failures {
            count: 3,
            last_at_ms: Some(100),
        };
        unhealthy.insert(health(&endpoint, 100));
        assert_eq!(unhealthy.of(&endpoint), written);
        let other = entities::new_endpoint("org_1", "https://example.com", Vec::new(), 100);
        assert_eq!(unhealthy.of(&other), Failures::default());

        endpoint.updated_at_ms = 101;
        assert_eq!(unhealthy.of(&endpoint), Failures::default(), "it was changed since");
        (endpoint.consecutive_failures, endpoint.last_failure_at_ms) = (Some(7), Some(99));
        let kept = Failures {
            count: 7,
            last_at_ms: Some(99),
        };
        assert_eq!(unhealthy.of(&endpoint), kept, "it was disabled");
        endpoint.updated_at_ms = 100;
        endpoint.tenant = "org_2".into();
        assert_eq!(unhealthy.of(&endpoint), kept, "another tenant's");
        endpoint.tenant = "org_1".into();
        unhealthy.remove(&endpoint.id);
        assert_eq!(unhealthy.of(&endpoint), kept, "it has recovered");
    }
}
