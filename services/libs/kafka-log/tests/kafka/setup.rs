//! A connection with a prefix of its own, topics, and short ways to write and read.

use kafka_log::{
    Admin, Connection, Item, Outgoing, Producer, ReadOptions, Reader, ReaderOptions, Start, TopicPartition,
};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::mpsc;

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Setup {
    pub connection: Connection,
    pub admin: Admin,
}

impl Setup {
    pub fn new() -> Self {
        let bootstrap = brokers::shared_bootstrap().expect("the tests need Kafka");
        let prefix = format!("t-{}.", uuid::Uuid::new_v4().simple());
        let connection = Connection::new(bootstrap, prefix, BTreeMap::new());
        let admin = Admin::new(&connection).expect("an admin client");
        Self { connection, admin }
    }

    pub fn name(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.connection.names().prefix())
    }

    pub async fn topic(&self, suffix: &str, partitions: i32) -> String {
        let name = self.name(suffix);
        self.admin
            .create(&name, partitions, 1, &[])
            .await
            .expect("create a topic");
        name
    }

    pub fn producer(&self) -> Producer {
        Producer::new(&self.connection).expect("a producer")
    }

    pub fn reader(&self) -> Reader {
        Reader::start(&self.connection, &ReaderOptions::new("test")).expect("a reader")
    }
}

/// Bytes that no codec makes smaller.
pub fn noise(length: usize) -> Vec<u8> {
    let ids = std::iter::repeat_with(|| uuid::Uuid::new_v4().into_bytes());
    ids.flatten().take(length).collect()
}

/// Writes `values` to one partition, in order.
pub async fn write(producer: &Producer, topic: &str, partition: i32, values: &[&str]) {
    let records: Vec<Outgoing> = values
        .iter()
        .map(|v| Outgoing::new(topic, partition, "k", v.as_bytes().to_vec()))
        .collect();
    producer.write_all(&records).await.expect("write");
}

/// Begins to read a partition.
pub async fn read_from(reader: &Reader, topic: &str, partition: i32, start: Start) -> mpsc::Receiver<Item> {
    let (sink, items) = mpsc::channel(1000);
    let options = ReadOptions {
        report_reached: true,
        ..ReadOptions::new(start)
    };
    reader
        .add(TopicPartition::new(topic, partition), options, sink)
        .await
        .expect("begin to read");
    items
}

/// The next record's value as text.
pub async fn next_value(items: &mut mpsc::Receiver<Item>) -> String {
    loop {
        let item = tokio::time::timeout(PATIENCE, items.recv())
            .await
            .expect("a record in time")
            .expect("a record");
        if let Item::Record(record) = item {
            return String::from_utf8(record.value.expect("a value").to_vec()).expect("text");
        }
    }
}

/// Waits until the partition has been read up to `offset`; returns the values of what came on the way.
pub async fn until_reached(items: &mut mpsc::Receiver<Item>, end: i64) -> Vec<String> {
    let mut values = Vec::new();
    loop {
        match tokio::time::timeout(PATIENCE, items.recv())
            .await
            .expect("progress in time")
            .expect("open")
        {
            Item::Record(record) => {
                values.push(String::from_utf8(record.value.expect("a value").to_vec()).expect("text"));
            }
            Item::Reached { offset, .. } if offset >= end => return values,
            Item::Reached { .. } => {}
        }
    }
}
