//! What is known of one delivery: a sum of what single records of the log say. Adding is commutative, associative and
//! idempotent, so a row is the same whatever the order of the records and however often they are read.
//!
//! The rule: the highest replay generation counts; within it delivered comes before dead, and dead
//! before pending. Of two records that say the same, the earlier one's time stays.

/// Positions of attempts that a row holds at most: the newest. A schedule has 20 attempts; replays begin anew.
const MAX_ATTEMPTS: usize = 256;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    Pending,
    /// Dead, or dropped because its endpoint was deleted; [`Outcome::reason`] says why.
    Failed,
    Delivered,
}

impl Status {
    pub const ALL: [Self; 3] = [Self::Pending, Self::Failed, Self::Delivered];

    /// As it stands in the column.
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Failed => 1,
            Self::Delivered => 2,
        }
    }

    pub(crate) fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }

    /// As callers see it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
        }
    }
}

/// Where it stands, by one record or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Replay generation: how often it was replayed.
    pub generation: i32,
    pub status: Status,
    /// When it came to that, Unix milliseconds.
    pub at_ms: i64,
    /// Why it failed.
    pub reason: Option<String>,
}

impl Outcome {
    fn outweighs(&self, other: &Self) -> bool {
        let weight = |of: &Self| (of.generation, of.status);
        let earlier = (&other.at_ms, &other.reason) > (&self.at_ms, &self.reason);
        weight(self) > weight(other) || (weight(self) == weight(other) && earlier)
    }
}

/// The last attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Last {
    /// 1 for the first attempt, counted over all generations.
    pub number: i32,
    pub started_at_ms: i64,
    pub generation: i32,
    pub status_code: Option<i32>,
    pub error: Option<String>,
    /// When the next attempt is due, Unix milliseconds; None when none follows.
    pub next_attempt_at_ms: Option<i64>,
}

/// The last replay.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Replay {
    /// The generation that began.
    pub generation: i32,
    pub at_ms: i64,
    /// Who asked: `cli`, or the id of a key or a job.
    pub by: String,
}

/// A delivery, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: String,
    pub tenant: String,
    pub event_id: String,
    pub endpoint_id: String,
    /// Empty while no record has said it.
    pub event_type: String,
    /// When it was matched, Unix milliseconds.
    pub created_at_ms: i64,
    /// When something last became known of it, Unix milliseconds.
    pub updated_at_ms: i64,
    pub outcome: Outcome,
    pub last: Option<Last>,
    pub replay: Option<Replay>,
    /// Partition of the log that all its records are in.
    pub log_partition: i32,
    /// Where its attempts stand in that partition, in order.
    pub attempts: Vec<i64>,
}

impl Delivery {
    /// How many attempts were made. (A crash may repeat one: then more than that are listed.)
    #[must_use]
    pub fn attempt_count(&self) -> i32 {
        self.last.as_ref().map_or(0, |last| last.number)
    }

    /// When it came to its end, Unix milliseconds.
    #[must_use]
    pub fn completed_at_ms(&self) -> Option<i64> {
        (self.outcome.status != Status::Pending).then_some(self.outcome.at_ms)
    }

    /// When it is tried again, Unix milliseconds; None: as soon as possible, or never.
    #[must_use]
    pub fn next_attempt_at_ms(&self) -> Option<i64> {
        let last = self.last.as_ref()?;
        let is_waiting = self.outcome.status == Status::Pending && last.generation == self.outcome.generation;
        last.next_attempt_at_ms.filter(|_| is_waiting)
    }

    /// Adds what another record, or several, say of the same delivery.
    pub fn add(&mut self, other: &Self) {
        debug_assert_eq!(self.id, other.id);
        if self.event_type < other.event_type {
            self.event_type.clone_from(&other.event_type);
        }
        self.created_at_ms = self.created_at_ms.min(other.created_at_ms);
        self.updated_at_ms = self.updated_at_ms.max(other.updated_at_ms);
        if other.outcome.outweighs(&self.outcome) {
            self.outcome = other.outcome.clone();
        }
        if other.last > self.last {
            self.last.clone_from(&other.last);
        }
        if other.replay > self.replay {
            self.replay.clone_from(&other.replay);
        }
        self.attempts.extend_from_slice(&other.attempts);
        self.attempts.sort_unstable();
        self.attempts.dedup();
        let too_many = self.attempts.len().saturating_sub(MAX_ATTEMPTS);
        self.attempts.drain(..too_many);
    }
}

#[cfg(test)]
mod tests;
