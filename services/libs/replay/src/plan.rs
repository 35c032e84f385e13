//! What is asked of a replay or a purge, and what came of it.

use crate::Filter;
use std::{collections::BTreeMap, num::NonZeroU32};

/// What to do.
#[derive(Debug, Clone)]
pub struct Request {
    pub filter: Filter,
    /// Most dead letters a second; None: as fast as it goes.
    pub rate_per_sec: Option<NonZeroU32>,
    /// Only count: nothing is written and nobody is fenced.
    pub dry_run: bool,
    /// Who asks, for the log: `cli`, or a job's or key's id.
    pub by: String,
}

impl Request {
    pub fn new(filter: Filter, by: impl Into<String>) -> Self {
        Self {
            filter,
            rate_per_sec: None,
            dry_run: false,
            by: by.into(),
        }
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Partitions finished, and how many there are to look at.
    pub partitions_done: usize,
    pub partitions: usize,
    pub matched: u64,
    pub done: u64,
    pub skipped: u64,
}

/// Dead letters of one endpoint that can't be replayed now; they stay where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub count: u64,
    /// Why, and what to do first.
    pub message: String,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub matched: u64,
    /// Replayed or purged; with `dry_run`, what would have been.
    pub done: u64,
    /// By endpoint id.
    pub skipped: BTreeMap<String, Skipped>,
    /// This build can't decode them; they stay.
    pub unreadable: u64,
    /// It was cancelled before its end; run it again for the rest.
    pub cancelled: bool,
}

impl Summary {
    pub fn skipped_count(&self) -> u64 {
        self.skipped.values().map(|skipped| skipped.count).sum()
    }
}
