//! The sequence tracker: which offset of one partition may be committed while its records complete out of order, and
//! what is done beyond it. It follows the sequence of records read, because transactions leave gaps in offsets. It
//! neither reads nor commits.

use crate::commit_metadata::{self, MAX_RECORDS, Run};
use std::collections::VecDeque;
use std::sync::Arc;

/// Whose offsets these are. Metadata of another cluster or incarnation is ignored, so a mirrored cluster is safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Kafka's cluster id.
    pub cluster_id: Arc<str>,
    /// From the ledger's installation record.
    pub incarnation: Arc<str>,
}

impl Identity {
    #[must_use]
    pub fn new(cluster_id: &str, incarnation: &str) -> Self {
        Self {
            cluster_id: cluster_id.into(),
            incarnation: incarnation.into(),
        }
    }
}

/// What the tracker says of a record that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Names the record towards [`Tracker::done`].
    pub seq: u64,
    /// A predecessor finished it beyond its watermark: skip it, don't call `done`.
    pub already_done: bool,
}

/// What to commit: every record below `offset` is done, and `metadata` says which beyond it are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitPoint {
    pub offset: i64,
    /// At most 4,096 bytes.
    pub metadata: String,
}

#[derive(Debug)]
struct Record {
    offset: i64,
    done: bool,
}

/// Follows one partition from its assignment to its revocation. Upholds invariant 2: `commit_point` never passes a
/// record that was read and not done.
#[derive(Debug)]
pub struct Tracker {
    identity: Identity,
    /// From the watermark on: empty, or the first is not done.
    window: VecDeque<Record>,
    first_seq: u64,
    /// Base at first, then one past the last record read.
    next_offset: i64,
    outstanding: usize,
    /// What the predecessor had done, of the records that follow the window.
    inherited: VecDeque<Run>,
    inherited_records: usize,
    dirty: bool,
}

impl Tracker {
    /// Starts at `base_offset` with nothing known.
    #[must_use]
    pub fn new(base_offset: i64, identity: Identity) -> Self {
        Self {
            identity,
            window: VecDeque::new(),
            first_seq: 0,
            next_offset: base_offset,
            outstanding: 0,
            inherited: VecDeque::new(),
            inherited_records: 0,
            dirty: false,
        }
    }

    /// Starts at the committed offset, knowing what its metadata says. Metadata of another cluster, incarnation or
    /// offset, and garbage, is ignored: then records are read again, never lost.
    #[must_use]
    pub fn resume(committed: i64, metadata: Option<&str>, identity: Identity) -> Self {
        let runs = metadata
            .and_then(|text| commit_metadata::decode(text, &identity, committed))
            .unwrap_or_default();
        let inherited_records = runs.iter().map(|run| run.length as usize).sum();
        Self {
            inherited: runs.into(),
            inherited_records,
            ..Self::new(committed, identity)
        }
    }

    /// Whether a record of this offset comes after those that were read.
    #[must_use]
    pub fn follows(&self, offset: i64) -> bool {
        offset >= self.next_offset
    }

    /// Begins anew at `base_offset`, because the log does: its topic was made again. What was read before and is done later
    /// changes nothing.
    pub fn restart(&mut self, base_offset: i64) {
        *self = Self {
            first_seq: self.first_seq + self.window.len() as u64,
            dirty: true,
            ..Self::new(base_offset, self.identity.clone())
        };
    }

    /// Takes note of the next record. Offsets ascend, with gaps. O(1).
    pub fn read(&mut self, offset: i64) -> Read {
        debug_assert!(
            offset >= self.next_offset,
            "offset {offset} was read after {}",
            self.next_offset - 1
        );
        let seq = self.first_seq + self.window.len() as u64;
        let already_done = self.next_inherited();
        self.next_offset = offset + 1;
        self.window.push_back(Record {
            offset,
            done: already_done,
        });
        if already_done {
            self.move_watermark();
        } else {
            self.outstanding += 1;
        }
        Read { seq, already_done }
    }

    /// The record is delivered, or acknowledged elsewhere. A repeat changes nothing. O(1), amortised.
    pub fn done(&mut self, seq: u64) {
        let record = seq
            .checked_sub(self.first_seq)
            .and_then(|index| usize::try_from(index).ok())
            .and_then(|index| self.window.get_mut(index));
        if let Some(record) = record
            && !record.done
        {
            record.done = true;
            self.outstanding -= 1;
            self.dirty = true;
            self.move_watermark();
        }
    }

    /// Whether one more record can be read with certainty that the metadata would still hold all that is done, in
    /// whatever order the rest completes. Without room: read nothing until something is done, or defer what blocks.
    /// (Reading all the same loses nothing: a crash then repeats more.)
    ///
    /// There is always room for about 24,000 records from the watermark on, and for up to 262,144 while at most about
    /// 1,000 of them are not done.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let records = self.window.len() + self.inherited_records.max(1);
        // Each record not done parts at most two runs of done ones.
        let runs = 2 * (self.outstanding + 1) + self.inherited.len();
        commit_metadata::fits(&self.identity, records, runs)
    }

    /// Records read and not done.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Offset of the first record that was read and not done.
    #[must_use]
    pub fn first_undone(&self) -> Option<i64> {
        self.window.front().map(|record| record.offset)
    }

    /// Records from the watermark on, done or not: about 16 bytes of memory each, at most 262,144 when `has_room` is obeyed.
    #[must_use]
    pub fn window(&self) -> usize {
        self.window.len()
    }

    /// Whether anything was done since the last [`Tracker::take_commit`].
    #[must_use]
    pub fn dirty(&self) -> bool {
        self.dirty
    }

    /// What may be committed now: the offset of the first record not done, one past the last record read when all are
    /// done, the base when nothing was read. O(window).
    #[must_use]
    pub fn commit_point(&self) -> CommitPoint {
        let offset = self.window.front().map_or(self.next_offset, |record| record.offset);
        crate::invariant!(
            2,
            self.window.front().is_none_or(|first| !first.done),
            "offset {offset}"
        );
        let known = self.window.iter().map(|record| Run {
            done: record.done,
            length: 1,
        });
        let metadata = commit_metadata::encode(&self.identity, offset, known.chain(self.inherited.iter().copied()));
        CommitPoint { offset, metadata }
    }

    /// [`Tracker::commit_point`], once per change: `None` when nothing was done since the last one taken.
    pub fn take_commit(&mut self) -> Option<CommitPoint> {
        std::mem::take(&mut self.dirty).then(|| self.commit_point())
    }

    /// The commit that was taken last did not succeed: the next `take_commit` gives one again.
    pub fn commit_failed(&mut self) {
        self.dirty = true;
    }

    fn next_inherited(&mut self) -> bool {
        while let Some(run) = self.inherited.front_mut() {
            if run.length == 0 {
                self.inherited.pop_front();
                continue;
            }
            run.length -= 1;
            self.inherited_records -= 1;
            return run.done;
        }
        false
    }

    fn move_watermark(&mut self) {
        while self.window.pop_front_if(|first| first.done).is_some() {
            self.first_seq += 1;
            self.dirty = true;
        }
        debug_assert!(self.outstanding <= self.window.len() && self.inherited_records <= MAX_RECORDS);
    }
}

#[cfg(test)]
mod tests;
