//! What fan-out wrote more than once: the delivery topics followed from outside, each delivery counted. That, and no
//! more, its deaths can repeat.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use harness::{Installation, until};
use kafka_log::{Admin, Connection, Item, ReadOptions, Reader, ReaderOptions, Start, TopicPartition, Watermarks};
use parking_lot::Mutex;
use schemas::{Delivery, OwnSchemas, codec};
use tokio::sync::mpsc;

const CHANNEL: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Counted {
    /// Records by delivery id.
    copies: HashMap<String, usize>,
    /// Behind the last record read.
    next: HashMap<TopicPartition, i64>,
}

/// Follows the lanes and all dedicated topics that there are when it starts.
pub(crate) struct Repeats {
    _reader: Reader,
    partitions: Vec<TopicPartition>,
    connection: Connection,
    counted: Arc<Mutex<Counted>>,
}

impl Repeats {
    pub(crate) async fn follow(installation: &Installation) -> anyhow::Result<Self> {
        let (connection, names) = (installation.connection(), installation.names());
        let topics = Admin::new(&connection)?.topics(names.prefix()).await?;
        let is_read = |topic: &str| topic == names.lanes() || topic.starts_with(&names.endpoint_prefix());
        let partitions: Vec<_> = topics
            .iter()
            .filter(|(topic, _)| is_read(topic))
            .flat_map(|(topic, described)| {
                (0..described.partitions).map(|number| TopicPartition::new(topic.as_str(), number))
            })
            .collect();
        let reader = Reader::start(&connection, &ReaderOptions::new("repeats"))?;
        let (sink, items) = mpsc::channel(CHANNEL);
        for partition in &partitions {
            reader
                .add(partition.clone(), ReadOptions::new(Start::Beginning), sink.clone())
                .await?;
        }
        let counted = Arc::<Mutex<Counted>>::default();
        tokio::spawn(count(items, counted.clone()));
        Ok(Self {
            _reader: reader,
            partitions,
            connection,
            counted,
        })
    }

    /// Further records of deliveries, once everything that is there has been read.
    pub(crate) async fn count(&self) -> anyhow::Result<usize> {
        let watermarks = Watermarks::new(&self.connection)?;
        for partition in &self.partitions {
            let (first, end) = match watermarks.range(&partition.topic, partition.partition).await {
                // The janitor has taken it away, after its endpoint.
                Err(kafka_log::Error::UnknownTopic(_)) => continue,
                range => range?,
            };
            until(&format!("{partition} is read"), PATIENCE, async || {
                let next = self.counted.lock().next.get(partition).copied().unwrap_or(0);
                let is_read = next >= end || first == end;
                is_read.then_some(()).ok_or_else(|| format!("{next} of {end}"))
            })
            .await?;
        }
        let counted = self.counted.lock();
        Ok(counted.copies.values().map(|copies| copies - 1).sum())
    }
}

async fn count(mut items: mpsc::Receiver<Item>, counted: Arc<Mutex<Counted>>) {
    while let Some(item) = items.recv().await {
        let Item::Record(record) = item else { continue };
        let delivery = record
            .value
            .as_deref()
            .map(|value| codec::decode::<Delivery>(value, &OwnSchemas));
        let mut counted = counted.lock();
        let of = TopicPartition::new(&*record.topic, record.partition);
        counted.next.insert(of, record.offset + 1);
        // What is no delivery would be missing at the end.
        if let Some(Ok(delivery)) = delivery {
            *counted.copies.entry(delivery.delivery_id).or_default() += 1;
        }
    }
}
