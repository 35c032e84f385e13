//! Reading Hookline's topics from the outside: once to their end, or as they grow. Only committed records are seen.

use std::collections::HashMap;

use anyhow::{Context, bail};
use kafka_log::{Connection, Item, ReadOptions, Reader, ReaderOptions, Record, Start, TopicPartition, Watermarks};
use tokio::sync::mpsc;

const CHANNEL: usize = 1_000;

/// All records of a topic that are there now, each partition in its order.
pub async fn read_to_end(connection: &Connection, topic: &str) -> anyhow::Result<Vec<Record>> {
    let watermarks = Watermarks::new(connection)?;
    let reader = Reader::start(connection, &ReaderOptions::new("read to the end"))?;
    let (sink, mut items) = mpsc::channel(CHANNEL);
    // By partition: where it is to be read to.
    let mut open = HashMap::new();
    for partition in 0..watermarks.partitions(topic).await? {
        let (begin, end) = watermarks.range(topic, partition).await?;
        if begin == end {
            continue;
        }
        let mut options = ReadOptions::new(Start::Beginning);
        options.report_reached = true;
        // Everything is kept until the caller is done: a window would wait for what is never given back.
        options.window_bytes = usize::MAX;
        reader
            .add(TopicPartition::new(topic, partition), options, sink.clone())
            .await?;
        open.insert(partition, end);
    }
    let mut records = Vec::new();
    while !open.is_empty() {
        let item = items
            .recv()
            .await
            .with_context(|| format!("{topic} can't be read any further"))?;
        let (partition, next) = match &item {
            Item::Record(record) => (record.partition, record.offset + 1),
            Item::Reached { partition, offset } => (partition.partition, *offset),
        };
        let is_wanted = open.contains_key(&partition);
        if open.get(&partition).is_some_and(|end| next >= *end) {
            open.remove(&partition);
        }
        if let (true, Item::Record(record)) = (is_wanted, item) {
            records.push(record);
        }
    }
    Ok(records)
}

/// A topic being followed. It ends when this is dropped.
pub struct Followed {
    _reader: Reader,
    items: mpsc::Receiver<Item>,
}

impl Followed {
    /// The next record of any partition.
    pub async fn next(&mut self) -> anyhow::Result<Record> {
        loop {
            match self.items.recv().await {
                Some(Item::Record(record)) => return Ok(record),
                Some(Item::Reached { .. }) => {}
                None => bail!("the reader has ended"),
            }
        }
    }
}

/// Follows all partitions of a topic from their beginning.
pub async fn follow(connection: &Connection, topic: &str) -> anyhow::Result<Followed> {
    let partitions = Watermarks::new(connection)?.partitions(topic).await?;
    let reader = Reader::start(connection, &ReaderOptions::new(format!("follow {topic}")))?;
    let (sink, items) = mpsc::channel(CHANNEL);
    for partition in 0..partitions {
        let of = TopicPartition::new(topic, partition);
        reader.add(of, ReadOptions::new(Start::Beginning), sink.clone()).await?;
    }
    Ok(Followed { _reader: reader, items })
}
