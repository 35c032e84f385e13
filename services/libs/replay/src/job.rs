//! The recovery of an endpoint as a job in the ledger: what was asked, and how far it is. Who asks writes it there, and
//! who has the history does it.

use schemas::Job;
use serde::{Deserialize, Serialize};

/// `kind` of such a job.
pub const RECOVERY: &str = "endpoint_replay";

/// Which deliveries are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Only {
    /// Those that failed.
    #[default]
    Failed,
    /// Events that match now and of which the endpoint has no delivery.
    Missing,
    /// Those that failed and those that were delivered.
    All,
}

/// Which of them is being done: one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    Failed,
    Delivered,
    Missing,
}

impl Only {
    /// What there is to go through.
    #[must_use]
    pub fn stages(self) -> &'static [Stage] {
        match self {
            Self::Failed => &[Stage::Failed],
            Self::Missing => &[Stage::Missing],
            Self::All => &[Stage::Failed, Stage::Delivered],
        }
    }
}

/// Everything up to here is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    pub stage: Stage,
    pub at_ms: i64,
    pub id: String,
}

/// A job's `state`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recovery {
    pub endpoint_id: String,
    /// Made at or after this, Unix milliseconds.
    pub since_ms: i64,
    /// Made before this, Unix milliseconds: at the latest when the job was.
    pub until_ms: i64,
    /// None: all.
    pub event_types: Option<Vec<String>>,
    pub only: Only,
    /// Only count.
    pub dry_run: bool,
    /// Most a second; None: as fast as it goes.
    pub rate_per_sec: Option<u32>,
    /// Whether `total` is known already.
    #[serde(default)]
    pub is_counted: bool,
    /// None: nothing is done yet.
    #[serde(default)]
    pub cursor: Option<Cursor>,
    /// Of which nothing is kept any more that could be sent.
    #[serde(default)]
    pub gone: i64,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<String>,
}

impl Recovery {
    /// What a job says, when it is one of these.
    #[must_use]
    pub fn of(job: &Job) -> Option<Self> {
        if job.kind != RECOVERY {
            return None;
        }
        serde_json::from_str(&job.state).ok()
    }

    /// As it stands in a job.
    #[must_use]
    pub fn to_state(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers can always be written")
    }

    /// Whether this type is meant.
    #[must_use]
    pub fn wants(&self, event_type: &str) -> bool {
        let listed = |types: &Vec<String>| types.iter().any(|wanted| wanted == event_type);
        self.event_types.as_ref().is_none_or(listed)
    }
}
