//! The partitions that a shard reads: their trackers, and how reading begins and ends.

use super::{Shard, Slot, oldest::Oldest};
use crate::{readers::Class, target::Status};
use delivery_core::tracker::{CommitPoint, Tracker};
use kafka_log::{Commit, Error, ReadOptions, Record, Start, TopicPartition};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::Instant;

/// Most that the window of a dedicated topic is, of what all of them share.
const DEDICATED_WINDOW_BYTES: usize = 16 << 20;
/// How long a dedicated topic that can't be read is left alone; twice as long each time.
const UNREADABLE_WAIT: Duration = Duration::from_secs(4);
const MOST_UNREADABLE_WAIT: Duration = Duration::from_secs(60);
/// Window of a lane or a partition of `returns`.
const SHARED_WINDOW_BYTES: std::ops::RangeInclusive<usize> = (128 << 10)..=(4 << 20);

/// One partition being read.
pub(crate) struct Stream {
    pub(crate) partition: TopicPartition,
    pub(crate) class: Class,
    pub(crate) tracker: Tracker,
    pub(crate) oldest: Oldest,
    /// What the brokers have, as far as this owner knows.
    pub(crate) committed: i64,
    /// Offset of the commit that is under way.
    pub(crate) committing: Option<i64>,
    /// Read, while the tracker has no room, or behind what blocks.
    stalled: VecDeque<Record>,
    /// Read and not understood yet, and when it is looked at again.
    blocked: Option<(Record, Slot, Instant)>,
    removed: bool,
    /// Its topic was not there when somebody last looked.
    is_missing: bool,
}

/// All of them. A stream keeps its index for the shard's life.
#[derive(Default)]
pub(crate) struct Streams {
    all: Vec<Stream>,
    by_topic: HashMap<Arc<str>, usize>,
    /// Streams with stalled records, each once.
    stalled: Vec<usize>,
    /// How many are blocked.
    blocked: usize,
    /// Dedicated topics that could not be read: when to try again, and how long to wait after that.
    unreadable: HashMap<Arc<str>, (Instant, Duration)>,
}

impl Streams {
    /// Whether it is time to try a topic that could not be read.
    pub(super) fn may_be_tried(&self, topic: &str) -> bool {
        self.unreadable.get(topic).is_none_or(|(at, _)| *at <= Instant::now())
    }

    /// It could not be read, again. How long it is left alone.
    fn put_off(&mut self, topic: &Arc<str>) -> Duration {
        let wait = self.unreadable.get(topic).map_or(UNREADABLE_WAIT, |(_, next)| *next);
        let next = (wait * 2).min(MOST_UNREADABLE_WAIT);
        self.unreadable.insert(topic.clone(), (Instant::now() + wait, next));
        wait
    }

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

    /// Gives the record back when its stream's tracker has room for it, else keeps it until there is.
    pub(crate) fn unless_stalled(&mut self, index: usize, record: Record) -> Option<Record> {
        let stream = &mut self.all[index];
        if stream.stalled.is_empty() {
            if stream.takes_more() {
                return Some(record);
            }
            self.stalled.push(index);
        }
        stream.stalled.push_back(record);
        None
    }

    /// A stalled record whose tracker has room again.
    pub(crate) fn next_stalled(&mut self) -> Option<(usize, Record)> {
        let position = self.stalled.iter().position(|i| self.all[*i].takes_more())?;
        let index = self.stalled[position];
        let record = self.all[index].stalled.pop_front();
        if self.all[index].stalled.is_empty() {
            self.stalled.swap_remove(position);
        }
        record.map(|record| (index, record))
    }

    /// Whether deliveries should leave memory so that a partition can move on: what waits in a dedicated topic stays.
    pub(crate) fn need_room(&self) -> bool {
        let needs = |stream: &Stream| stream.class != Class::Dedicated && !stream.tracker.has_room();
        self.stalled.iter().any(|i| needs(&self.all[*i]))
    }

    /// A record that can't be understood yet stops its own partition until it is looked at again, and nothing else.
    pub(crate) fn block(&mut self, record: Record, slot: Slot, again_at: Instant) {
        self.all[slot.stream].blocked = Some((record, slot, again_at));
        self.blocked += 1;
    }

    /// A record that blocked its partition, when it is time to look at it again.
    pub(crate) fn next_blocked(&mut self, now: Instant) -> Option<(Record, Slot)> {
        if self.blocked == 0 {
            return None;
        }
        let due = |stream: &mut Stream| stream.blocked.take_if(|(_, _, again_at)| *again_at <= now);
        let (record, slot, _) = self.all.iter_mut().find_map(due)?;
        self.blocked -= 1;
        Some((record, slot))
    }

    /// When the first of them is looked at again.
    pub(crate) fn look_again_at(&self) -> Option<Instant> {
        if self.blocked == 0 {
            return None;
        }
        self.all.iter().filter_map(|s| Some(s.blocked.as_ref()?.2)).min()
    }

    /// Says since when what isn't done has waited.
    pub(crate) fn measure(&mut self) {
        for stream in self.iter_mut() {
            stream.oldest.measure(stream.tracker.first_undone());
        }
    }

    fn push(&mut self, stream: Stream) {
        self.by_topic.insert(stream.partition.topic.clone(), self.all.len());
        self.all.push(stream);
    }

    fn remove(&mut self, topic: &str) -> Option<TopicPartition> {
        let index = self.by_topic.remove(topic)?;
        self.all[index].removed = true;
        self.all[index].oldest.measure(None);
        Some(self.all[index].partition.clone())
    }
}

impl Stream {
    fn takes_more(&self) -> bool {
        self.blocked.is_none() && self.tracker.has_room()
    }

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
        let mut deleted = Vec::new();
        for endpoint in view.endpoints() {
            if let Some(number) = endpoint.dedicated_topic
                && self.ctx.shard_of(&endpoint.id) == self.number
            {
                let topic = TopicPartition::new(self.ctx.names.endpoint(&endpoint.id, number), 0);
                if endpoint.status == "deleted" {
                    deleted.push((Class::Dedicated, topic));
                } else {
                    wanted.push((Class::Dedicated, topic));
                }
            }
        }
        if !deleted.is_empty() {
            // Most of them are gone: to ask for a topic that isn't there takes long.
            let existing = self.ctx.admin.topics(&self.ctx.names.endpoint_prefix()).await?;
            wanted.extend(deleted.into_iter().filter(|(_, p)| existing.contains_key(&*p.topic)));
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
            if !self.streams.may_be_tried(&partition.topic) {
                continue;
            }
            if self.given_up.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            let found = committed.get(&partition);
            let start = found.and_then(|c| c.offset).map_or(Start::Beginning, Start::Offset);
            let options = ReadOptions {
                window_bytes: match class {
                    Class::Dedicated => DEDICATED_WINDOW_BYTES,
                    Class::Lanes | Class::Returns => self.shared_window_bytes(),
                },
                ..ReadOptions::new(start)
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
                // Nobody leads it: the shard is there for the others all the same.
                Err(error) if class == Class::Dedicated => {
                    tracing::error!(%partition, %error, "a dedicated topic can't be read; its shard goes on without it");
                    let wait = self.streams.put_off(&partition.topic);
                    self.look_again_after(wait);
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.streams.unreadable.remove(&partition.topic);
            let metadata = found.filter(|c| c.offset == Some(began)).map(|c| c.metadata.as_str());
            let tracker = Tracker::resume(began, metadata, self.ctx.identity.clone());
            self.streams.push(Stream {
                partition,
                class,
                tracker,
                oldest: Oldest::new(class),
                committed: began,
                committing: None,
                stalled: VecDeque::new(),
                blocked: None,
                removed: false,
                is_missing: false,
            });
        }
        // Also for what has nothing to do: offsets expire seven days after their last commit.
        self.commit_all_at_next();
        Ok(())
    }

    /// Of what is read and has not found its place yet. That comes on top of the process's budget, and is gone within
    /// moments: what finds no place is deferred.
    fn shared_window_bytes(&self) -> usize {
        let lanes = usize::try_from(self.ctx.options.lanes).unwrap_or(1).max(1);
        (self.ctx.options.max_buffered_bytes / 4 / lanes)
            .clamp(*SHARED_WINDOW_BYTES.start(), *SHARED_WINDOW_BYTES.end())
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
            report_missing(partition);
        }
    }

    /// Stops reading the topics of deleted endpoints that the janitor has removed: those not among `existing`. One that
    /// is missing and shouldn't be is reported at the second time, because it may be younger than the list.
    pub(super) async fn close_gone_topics(&mut self, existing: &BTreeSet<String>) {
        let view = self.ctx.ledger.view();
        let names = &self.ctx.names;
        let lives_here = |topic: &str| {
            let endpoint = names
                .parse_endpoint(topic)
                .and_then(|(id, n)| Some((view.endpoint(id)?, n)));
            endpoint.is_some_and(|(endpoint, n)| endpoint.status != "deleted" && endpoint.dedicated_topic == Some(n))
        };
        let mut gone: Vec<Arc<str>> = Vec::new();
        for stream in self.streams.iter_mut().filter(|s| s.class == Class::Dedicated) {
            let topic = &stream.partition.topic;
            let was_missing = std::mem::replace(&mut stream.is_missing, !existing.contains(&**topic));
            if !stream.is_missing {
                continue;
            }
            if !lives_here(topic) {
                if stream.tracker.outstanding() == 0 && stream.stalled.is_empty() {
                    gone.push(topic.clone());
                }
            } else if was_missing {
                report_missing(&stream.partition);
            }
        }
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

fn report_missing(partition: &TopicPartition) {
    tracing::error!(%partition, "the dedicated topic of a live endpoint is missing; was it deleted by hand?");
}
