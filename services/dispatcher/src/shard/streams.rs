//! The partitions that a shard reads: their trackers, and how reading begins and ends.

use super::Shard;
use crate::{readers::Class, target::Status};
use delivery_core::tracker::{CommitPoint, Tracker};
use kafka_log::{Commit, Error, ReadOptions, Start, TopicPartition};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Window of a dedicated topic: at most this much, and at least this much, of half the process's budget.
const DEDICATED_WINDOW_BYTES: std::ops::RangeInclusive<usize> = (64 << 10)..=(2 << 20);

/// One partition being read.
pub(crate) struct Stream {
    pub(crate) partition: TopicPartition,
    pub(crate) class: Class,
    pub(crate) tracker: Tracker,
    /// What the brokers have, as far as this owner knows.
    pub(crate) committed: i64,
    /// Offset of the commit that is under way.
    pub(crate) committing: Option<i64>,
    removed: bool,
}

/// All of them. A stream keeps its index for the shard's life.
#[derive(Default)]
pub(crate) struct Streams {
    all: Vec<Stream>,
    by_topic: HashMap<Arc<str>, usize>,
}

impl Streams {
    pub(crate) fn index(&self, topic: &str) -> Option<usize> {
        self.by_topic.get(topic).copied()
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> &mut Stream {
        &mut self.all[index]
    }

    pub(crate) fn get(&self, index: usize) -> &Stream {
        &self.all[index]
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.all.iter_mut().filter(|s| !s.removed)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.all.iter().filter(|s| !s.removed)
    }

    /// Whether every stream that is not dedicated can take one more record.
    pub(crate) fn have_room(&self) -> bool {
        self.iter().all(|s| s.tracker.has_room())
    }

    fn push(&mut self, stream: Stream) {
        self.by_topic.insert(stream.partition.topic.clone(), self.all.len());
        self.all.push(stream);
    }

    fn remove(&mut self, topic: &str) -> Option<TopicPartition> {
        let index = self.by_topic.remove(topic)?;
        self.all[index].removed = true;
        Some(self.all[index].partition.clone())
    }
}

impl Stream {
    pub(crate) fn commit(&self, point: CommitPoint) -> Commit {
        Commit {
            partition: self.partition.clone(),
            offset: point.offset,
            metadata: point.metadata,
        }
    }
}

impl Shard {
    /// Begins to read the lane, `returns` and the dedicated topics of the shard's endpoints.
    pub(super) async fn open_streams(&mut self) -> Result<(), Error> {
        let returns = TopicPartition::new(self.ctx.names.returns(), self.number);
        let mut wanted = vec![(Class::Returns, returns), (Class::Lanes, self.lane.clone())];
        let view = self
            .ctx
            .ledger
            .barrier()
            .await
            .map_err(|e| Error::Other(e.to_string()))?;
        for endpoint in view.endpoints() {
            if let Some(number) = endpoint.dedicated_topic
                && self.ctx.shard_of(&endpoint.id) == self.number
            {
                wanted.push((
                    Class::Dedicated,
                    TopicPartition::new(self.ctx.names.endpoint(&endpoint.id, number), 0),
                ));
            }
        }
        wanted.retain(|(_, partition)| self.streams.index(&partition.topic).is_none());
        self.open(wanted).await
    }

    /// Begins to read the dedicated topic of an endpoint that has one and isn't read yet.
    pub(super) async fn open_dedicated(&mut self, endpoint_id: &str, number: i64) -> Result<(), Error> {
        let topic = self.ctx.names.endpoint(endpoint_id, number);
        if self.streams.index(&topic).is_some() {
            return Ok(());
        }
        self.open(vec![(Class::Dedicated, TopicPartition::new(topic, 0))]).await
    }

    async fn open(&mut self, wanted: Vec<(Class, TopicPartition)>) -> Result<(), Error> {
        let partitions: Vec<TopicPartition> = wanted.iter().map(|(_, p)| p.clone()).collect();
        let committed = self.membership.committed(partitions).await?;
        let committed: HashMap<TopicPartition, _> = committed.into_iter().map(|c| (c.partition.clone(), c)).collect();
        for (class, partition) in wanted {
            let found = committed.get(&partition);
            let start = found.and_then(|c| c.offset).map_or(Start::Beginning, Start::Offset);
            let options = ReadOptions {
                start,
                window_bytes: match class {
                    Class::Dedicated => self.dedicated_window_bytes(),
                    // Bounded by the process's budget, not by a window: the lanes are read past a slow endpoint.
                    Class::Lanes | Class::Returns => self.ctx.options.max_buffered_bytes,
                },
                report_reached: false,
            };
            let began = match self
                .ctx
                .readers
                .add(class, partition.clone(), options, self.inbox_sender.clone())
                .await
            {
                Ok(began) => began,
                Err(Error::UnknownTopic(_)) if class == Class::Dedicated => {
                    self.dedicated_topic_missing(&partition);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let metadata = found.filter(|c| c.offset == Some(began)).map(|c| c.metadata.as_str());
            let tracker = Tracker::resume(began, metadata, self.ctx.identity.clone());
            self.streams.push(Stream {
                partition,
                class,
                tracker,
                committed: began,
                committing: None,
                removed: false,
            });
        }
        // Also for what has nothing to do: offsets expire seven days after their last commit.
        self.commit_all_at_next();
        Ok(())
    }

    fn dedicated_window_bytes(&self) -> usize {
        let topics = self.ctx.ledger.view().dedicated_endpoints().max(1);
        (self.ctx.options.max_buffered_bytes / 2 / topics)
            .clamp(*DEDICATED_WINDOW_BYTES.start(), *DEDICATED_WINDOW_BYTES.end())
    }

    fn dedicated_topic_missing(&self, partition: &TopicPartition) {
        let endpoint = self
            .ctx
            .names
            .parse_endpoint(&partition.topic)
            .map(|(id, _)| id.to_owned());
        let view = self.ctx.ledger.view();
        let live = endpoint
            .and_then(|id| self.ctx.targets.find(&view, &id))
            .is_some_and(|target| target.status != Status::Deleted);
        if live {
            tracing::error!(%partition, "the dedicated topic of a live endpoint is missing; was it deleted by hand?");
        }
    }

    /// Stops reading the topics of deleted endpoints that the janitor has removed: those not among `existing`.
    pub(super) async fn close_gone_topics(&mut self, existing: &BTreeSet<String>) {
        let view = self.ctx.ledger.view();
        let gone: Vec<Arc<str>> = self
            .streams
            .iter()
            .filter(|s| s.class == Class::Dedicated && s.tracker.outstanding() == 0)
            .map(|s| s.partition.topic.clone())
            .filter(|topic| !existing.contains(&**topic))
            .filter(|topic| {
                let id = self.ctx.names.parse_endpoint(topic).map(|(id, _)| id);
                id.is_some_and(|id| view.endpoint(id).is_none_or(|e| e.status == "deleted"))
            })
            .collect();
        for topic in gone {
            if let Some(partition) = self.streams.remove(&topic) {
                self.ctx.readers.remove(Class::Dedicated, vec![partition]).await;
            }
        }
    }

    /// Stops reading everything; nothing more arrives when it returns.
    pub(super) async fn close_streams(&mut self) {
        for class in [Class::Lanes, Class::Returns, Class::Dedicated] {
            let partitions: Vec<TopicPartition> = self
                .streams
                .iter()
                .filter(|s| s.class == class)
                .map(|s| s.partition.clone())
                .collect();
            if !partitions.is_empty() {
                self.ctx.readers.remove(class, partitions).await;
            }
        }
    }
}
