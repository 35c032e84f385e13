//! What is written to topics, decoded, collected from their beginning on, and awaited.

use crate::receiver::PATIENCE;
use kafka_log::{Connection, Item, ReadOptions, Reader, ReaderOptions, Start, TopicPartition, Watermarks};
use schemas::codec::{self, OwnSchemas};
use std::{
    marker::PhantomData,
    sync::{Arc, Mutex},
};
use tokio::sync::{mpsc, watch};

/// A record and where it was.
#[derive(Debug, Clone)]
pub struct Written<R> {
    pub topic: String,
    pub partition: i32,
    pub record: R,
}

/// Follows topics of one record type.
pub struct Tail<R> {
    all: Arc<Mutex<Vec<Written<R>>>>,
    /// Keys of tombstones.
    gone: Arc<Mutex<Vec<String>>>,
    changed: watch::Receiver<()>,
    _reader: Reader,
    _type: PhantomData<R>,
}

impl<R: codec::Record + Clone + std::fmt::Debug> Tail<R> {
    pub async fn start(connection: &Connection, topics: &[String]) -> Self {
        let reader = Reader::start(connection, &ReaderOptions::new("tail")).expect("a reader");
        let watermarks = Watermarks::new(connection).expect("a client");
        let (sink, mut items) = mpsc::channel(1000);
        for topic in topics {
            for partition in 0..watermarks.partitions(topic).await.expect("the topic exists") {
                reader
                    .add(
                        TopicPartition::new(topic.as_str(), partition),
                        ReadOptions::new(Start::Beginning),
                        sink.clone(),
                    )
                    .await
                    .expect("it can be read");
            }
        }
        let all = Arc::new(Mutex::new(Vec::new()));
        let (sender, changed) = watch::channel(());
        let collected = all.clone();
        let gone = Arc::new(Mutex::new(Vec::new()));
        let tombstones = gone.clone();
        tokio::spawn(async move {
            while let Some(item) = items.recv().await {
                if let Item::Record(record) = item {
                    let Some(value) = record.value.as_deref() else {
                        let key = record.key.as_deref().unwrap_or_default();
                        let key = String::from_utf8_lossy(key).into_owned();
                        tombstones.lock().expect("no test panics here").push(key);
                        sender.send_replace(());
                        continue;
                    };
                    let written = Written {
                        topic: record.topic.to_string(),
                        partition: record.partition,
                        record: codec::decode(value, &OwnSchemas).expect("our own record"),
                    };
                    collected.lock().expect("no test panics here").push(written);
                    sender.send_replace(());
                }
            }
        });
        Self {
            all,
            gone,
            changed,
            _reader: reader,
            _type: PhantomData,
        }
    }

    pub fn all(&self) -> Vec<Written<R>> {
        self.all.lock().expect("no test panics here").clone()
    }

    /// Waits until `count` of the records are `wanted`; returns those.
    pub async fn until(&self, count: usize, wanted: impl Fn(&R) -> bool) -> Vec<Written<R>> {
        let mut changed = self.changed.clone();
        let find = || -> Vec<Written<R>> { self.all().into_iter().filter(|w| wanted(&w.record)).collect() };
        let waited = tokio::time::timeout(PATIENCE, async {
            while find().len() < count {
                changed.changed().await.expect("the collector lives");
            }
        });
        let came = waited.await;
        let found = find();
        assert!(
            came.is_ok(),
            "{} of {count} records came in time; all: {:#?}",
            found.len(),
            {
                let mut all = self.all();
                all.truncate(5);
                all
            }
        );
        found
    }

    pub async fn until_tombstone(&self, key: &str) {
        let mut changed = self.changed.clone();
        let is_gone = || {
            self.gone
                .lock()
                .expect("no test panics here")
                .iter()
                .any(|gone| gone == key)
        };
        let waited = tokio::time::timeout(PATIENCE, async {
            while !is_gone() {
                changed.changed().await.expect("the collector lives");
            }
        });
        assert!(waited.await.is_ok(), "no tombstone of {key}; all: {:#?}", self.all());
    }

    pub async fn one(&self, wanted: impl Fn(&R) -> bool) -> Written<R> {
        let found = self.until(1, wanted).await;
        assert_eq!(found.len(), 1, "one record is expected, not {found:#?}");
        found.into_iter().next().expect("there is one")
    }
}
