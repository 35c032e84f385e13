//! The partitions being read, and what each receiver has been given.

use super::{Item, ReadOptions};
use crate::{TopicPartition, window::Window};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};
use tokio::sync::mpsc;

/// One partition being read.
pub(super) struct Reading {
    pub(super) sink: mpsc::Sender<Item>,
    /// When it is full the partition is paused. (A full channel alone is no reason: what it has no room for is held here,
    /// and counts in the window. A pause costs what the client has fetched ahead, and up to a fetch's wait afterwards.)
    pub(super) window: Arc<Window>,
    pub(super) paused: bool,
    /// Among those that the worker looks after.
    pub(super) is_attended: bool,
    /// Read, but the receiver's channel was full.
    pub(super) held: VecDeque<Item>,
    pub(super) report_reached: bool,
    /// The offset after the last record handed on.
    pub(super) next: i64,
    /// The highest timestamp of what was handed on, Unix milliseconds; None: nothing was.
    pub(super) newest_ms: Option<i64>,
    /// The last offset reported as reached.
    pub(super) reported: i64,
}

impl Reading {
    pub(super) fn new(sink: mpsc::Sender<Item>, options: &ReadOptions, start: i64) -> Self {
        Self {
            sink,
            window: Window::new(options.window_bytes, options.pool.clone()),
            paused: false,
            is_attended: false,
            held: VecDeque::new(),
            report_reached: options.report_reached,
            next: start,
            newest_ms: None,
            reported: -1,
        }
    }

    /// Something of it has to be looked after: a pause to end, or records to hand on.
    pub(super) fn wants_attention(&self) -> bool {
        self.paused || !self.held.is_empty()
    }

    /// Hands on what it can; false when the receiver is gone.
    pub(super) fn push_held(&mut self) -> bool {
        while let Some(item) = self.held.pop_front() {
            match self.sink.try_send(item) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(item)) => {
                    self.held.push_front(item);
                    return true;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => return false,
            }
        }
        true
    }
}

/// All partitions of a reader.
#[derive(Default)]
pub(super) struct Readings(HashMap<Arc<str>, HashMap<i32, Reading>>);

impl Readings {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn insert(&mut self, partition: &TopicPartition, reading: Reading) {
        self.0
            .entry(partition.topic.clone())
            .or_default()
            .insert(partition.partition, reading);
    }

    pub(super) fn remove(&mut self, partition: &TopicPartition) -> Option<Reading> {
        let partitions = self.0.get_mut(&partition.topic)?;
        let reading = partitions.remove(&partition.partition)?;
        if partitions.is_empty() {
            self.0.remove(&partition.topic);
        }
        Some(reading)
    }

    pub(super) fn get_mut(&mut self, topic: &str, partition: i32) -> Option<&mut Reading> {
        self.0.get_mut(topic)?.get_mut(&partition)
    }

    /// The shared name of a topic that is being read.
    pub(super) fn topic(&self, name: &str) -> Option<Arc<str>> {
        self.0.get_key_value(name).map(|(topic, _)| topic.clone())
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (TopicPartition, &mut Reading)> {
        self.0.iter_mut().flat_map(|(topic, partitions)| {
            partitions.iter_mut().map(|(number, reading)| {
                (
                    TopicPartition {
                        topic: topic.clone(),
                        partition: *number,
                    },
                    reading,
                )
            })
        })
    }

    pub(super) fn any_wants_reached(&self) -> bool {
        self.0
            .values()
            .flat_map(HashMap::values)
            .any(|reading| reading.report_reached)
    }
}
