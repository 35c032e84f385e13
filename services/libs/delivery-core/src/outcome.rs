//! What an attempt's result means, by the endpoint's dialect, and what follows from it. The two tables are callers'
//! contract and exact. It doesn't know circuits, rates or the endpoint's state.

use crate::schedule;
use std::fmt;

/// Which of the two outcome tables an endpoint follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Redirects and refusals (4xx but 408 and 429) are final.
    Standard,
    /// Every non-2xx is retried (made through the tenant API).
    RetryAll,
}

impl Dialect {
    /// From the ledger's word, `standard` or `retry_all`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "standard" => Some(Self::Standard),
            "retry_all" => Some(Self::RetryAll),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::RetryAll => "retry_all",
        }
    }
}

/// What one HTTP request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// A status line was read, whatever became of the body.
    Status(u16),
    NetworkError,
    Timeout,
}

/// What that means for the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    Retry,
    /// Final: no further attempt.
    Fail,
}

/// The outcome table. A status outside HTTP's final classes (1xx, 600 and above) says nothing about the delivery, so
/// like a broken connection it is retried.
#[must_use]
pub fn classify(dialect: Dialect, outcome: AttemptOutcome) -> Verdict {
    match (outcome, dialect) {
        (AttemptOutcome::NetworkError | AttemptOutcome::Timeout, _) => Verdict::Retry,
        (AttemptOutcome::Status(200..=299), _) => Verdict::Delivered,
        (AttemptOutcome::Status(_), Dialect::RetryAll) => Verdict::Retry,
        (AttemptOutcome::Status(408 | 429), Dialect::Standard) => Verdict::Retry,
        (AttemptOutcome::Status(300..=499), Dialect::Standard) => Verdict::Fail,
        (AttemptOutcome::Status(_), Dialect::Standard) => Verdict::Retry,
    }
}

/// Why a delivery is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    RejectedByReceiver,
    RetriesExhausted,
    /// Older than `delivery.max_age`.
    Expired,
    EndpointDisabled,
    EndpointDeleted,
    /// 410 from an endpoint with `disableOnGone`.
    Gone,
}

impl Reason {
    pub const ALL: [Self; 6] = [
        Self::RejectedByReceiver,
        Self::RetriesExhausted,
        Self::Expired,
        Self::EndpointDisabled,
        Self::EndpointDeleted,
        Self::Gone,
    ];

    /// As callers and topics know it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RejectedByReceiver => "rejected_by_receiver",
            Self::RetriesExhausted => "retries_exhausted",
            Self::Expired => "expired",
            Self::EndpointDisabled => "endpoint_disabled",
            Self::EndpointDeleted => "endpoint_deleted",
            Self::Gone => "gone",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What [`follow_up`] needs to know of the delivery besides the verdict.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    pub now_ms: i64,
    pub schedule_sec: &'a [i64],
    /// Attempts of this generation before the one that just ended.
    pub schedule_index: usize,
    /// -1 to 1.
    pub jitter: f64,
    /// What the response's `Retry-After` asks for, by [`crate::retry_after::parse`].
    pub retry_after_ms: Option<i64>,
    /// From when `delivery.max_age` counts, Unix milliseconds.
    pub age_from_ms: i64,
    pub max_age_ms: i64,
}

/// What is done with a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowUp {
    Delivered,
    RetryAt { due_at_ms: i64 },
    Dead { reason: Reason },
}

/// What follows from a verdict. A retry that would fall due only after `max_age` is never made, so the delivery is dead
/// (`expired`) at once, where people can see it.
#[must_use]
pub fn follow_up(verdict: Verdict, situation: &Situation<'_>) -> FollowUp {
    match verdict {
        Verdict::Delivered => FollowUp::Delivered,
        Verdict::Fail => FollowUp::Dead {
            reason: Reason::RejectedByReceiver,
        },
        Verdict::Retry => {
            let due_at_ms = schedule::next_due(
                situation.now_ms,
                situation.schedule_sec,
                situation.schedule_index,
                situation.jitter,
                situation.retry_after_ms,
            );
            match due_at_ms {
                None => FollowUp::Dead {
                    reason: Reason::RetriesExhausted,
                },
                Some(due_at_ms) if is_expired(due_at_ms, situation.age_from_ms, situation.max_age_ms) => {
                    FollowUp::Dead {
                        reason: Reason::Expired,
                    }
                }
                Some(due_at_ms) => FollowUp::RetryAt { due_at_ms },
            }
        }
    }
}

/// Whether a delivery is older than `max_age_ms` at `at_ms`, counted from `age_from_ms`.
#[must_use]
pub fn is_expired(at_ms: i64, age_from_ms: i64, max_age_ms: i64) -> bool {
    at_ms.saturating_sub(age_from_ms) > max_age_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_for_every_status() {
        for status in 100..=999_u16 {
            let standard = match status {
                200..=299 => Verdict::Delivered,
                408 | 429 => Verdict::Retry,
                300..=399 => Verdict::Fail,
                400..=499 => Verdict::Fail,
                500..=599 => Verdict::Retry,
                _ => Verdict::Retry,
            };
            let retry_all = if (200..300).contains(&status) {
                Verdict::Delivered
            } else {
                Verdict::Retry
            };
            assert_eq!(
                classify(Dialect::Standard, AttemptOutcome::Status(status)),
                standard,
                "{status}"
            );
            assert_eq!(
                classify(Dialect::RetryAll, AttemptOutcome::Status(status)),
                retry_all,
                "{status}"
            );
        }
    }

    #[test]
    fn no_answer_is_retried_in_both() {
        for dialect in [Dialect::Standard, Dialect::RetryAll] {
            for outcome in [AttemptOutcome::NetworkError, AttemptOutcome::Timeout] {
                assert_eq!(classify(dialect, outcome), Verdict::Retry);
            }
        }
    }

    const SITUATION: Situation<'static> = Situation {
        now_ms: 100_000,
        schedule_sec: &[5, 60],
        schedule_index: 0,
        jitter: 0.0,
        retry_after_ms: None,
        age_from_ms: 90_000,
        max_age_ms: 3_600_000,
    };

    #[test]
    fn a_retry_is_due_by_the_schedule_or_by_retry_after() {
        assert_eq!(
            follow_up(Verdict::Retry, &SITUATION),
            FollowUp::RetryAt { due_at_ms: 105_000 }
        );
        let asked = Situation {
            retry_after_ms: Some(30_000),
            ..SITUATION
        };
        assert_eq!(
            follow_up(Verdict::Retry, &asked),
            FollowUp::RetryAt { due_at_ms: 130_000 }
        );
    }

    #[test]
    fn each_end_has_its_reason() {
        let dead = |reason| FollowUp::Dead { reason };
        assert_eq!(follow_up(Verdict::Delivered, &SITUATION), FollowUp::Delivered);
        assert_eq!(follow_up(Verdict::Fail, &SITUATION), dead(Reason::RejectedByReceiver));
        let exhausted = Situation {
            schedule_index: 2,
            ..SITUATION
        };
        assert_eq!(follow_up(Verdict::Retry, &exhausted), dead(Reason::RetriesExhausted));
        let old = Situation {
            max_age_ms: 14_999,
            ..SITUATION
        };
        assert_eq!(follow_up(Verdict::Retry, &old), dead(Reason::Expired));
        let just = Situation {
            max_age_ms: 15_000,
            ..SITUATION
        };
        assert_eq!(
            follow_up(Verdict::Retry, &just),
            FollowUp::RetryAt { due_at_ms: 105_000 }
        );
    }

    #[test]
    fn names_are_read_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        }
        for dialect in [Dialect::Standard, Dialect::RetryAll] {
            assert_eq!(Dialect::parse(dialect.as_str()), Some(dialect));
        }
        assert_eq!((Reason::parse("tired"), Dialect::parse("")), (None, None));
    }
}
