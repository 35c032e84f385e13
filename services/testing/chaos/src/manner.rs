//! How the receivers behave, how their endpoints are set, and what must become of the deliveries to them.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use harness::{Answer, Behaviour, Seen};
use schemas::{Endpoint, Limit};

/// Of endpoints that are slow: requests a second, at once from rest, under way.
pub(crate) const SLOW_PER_SEC: f64 = 25.0;
pub(crate) const SLOW_BURST: usize = 5;
pub(crate) const SLOW_AT_ONCE: usize = 8;
/// Requests under way to an endpoint whose requests last.
const LASTING_AT_ONCE: usize = 4;
/// The same of one that keeps each request until its time is over, and that time.
const BAD_AT_ONCE: usize = 8;
const BAD_TIMEOUT_SEC: i32 = 2;
/// Of a neighbour that never succeeds: its deliveries are not to hold up the run.
const BAD_SCHEDULE_SEC: [i64; 2] = [1, 1];
/// Of the one that fails until it is disabled: longer than that takes.
const FAILING_SCHEDULE_SEC: [i64; 20] = [3; 20];

const REJECTED: &str = "rejected_by_receiver";
const EXHAUSTED: &str = "retries_exhausted";
/// Whoever has failed for long enough is disabled.
const DISABLED: &str = "endpoint_disabled";

/// How an endpoint's receiver is, or what happens to the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Quick,
    /// 503 to three requests in ten.
    Flaky,
    /// 50 to 300 ms, limited in rate and concurrency.
    Slow,
    /// One request in ten takes 1.2 to 3 s: longer than a revoke waits.
    Lasting,
    /// Refuses connections until it is brought up.
    Down,
    /// 404: everything for it becomes a dead letter.
    Rejecting,
    /// 410: it is disabled, and everything for it becomes a dead letter.
    Gone,
    /// At an address that the egress policy forbids, and not tried again: dead letters, and no connection.
    Forbidden,
    /// Never answers.
    Hanging,
    /// 200 with 100 MB.
    Flooding,
    /// 200 with a byte a second.
    Dripping,
    /// Redirects to itself.
    Redirecting,
    /// Never takes part in the TLS handshake.
    Mute,
    /// Its name doesn't resolve.
    Unresolvable,
    /// 503 until it is disabled; after the storm it is mended, enabled, and its dead letters are replayed.
    Failing,
    /// Disabled and enabled, over and over.
    Switched,
    /// Deleted half way.
    Deleted,
    /// Gets new secrets; the former ones sign too.
    Rotated,
    /// Signatures of both schemes.
    SignedTwice,
    /// By its key pair alone.
    SignedByKey,
    CloudEvents,
    Raw,
}

/// What becomes of the deliveries to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrive,
    /// Dead letters, for one of these reasons.
    Die(&'static [&'static str]),
    /// Dead letters first, which arrive when they are replayed.
    Recover,
    /// Depends on the moment: delivered, dead, cancelled or never matched, but never in two minds.
    Open,
}

/// Of the endpoints that come by number.
pub(crate) const MANNERS: [Manner; 5] = [
    Manner::Quick,
    Manner::Flaky,
    Manner::Slow,
    Manner::Lasting,
    Manner::Down,
];
/// Of the second tenant, in place of [`Manner::Down`].
pub(crate) const DEADLY: [Manner; 3] = [Manner::Rejecting, Manner::Gone, Manner::Forbidden];
/// One endpoint each, in runs that are large enough.
pub(crate) const SPECIAL: [Manner; 14] = [
    Manner::Hanging,
    Manner::Flooding,
    Manner::Dripping,
    Manner::Redirecting,
    Manner::Mute,
    Manner::Unresolvable,
    Manner::Failing,
    Manner::Switched,
    Manner::Deleted,
    Manner::Rotated,
    Manner::SignedTwice,
    Manner::SignedByKey,
    Manner::CloudEvents,
    Manner::Raw,
];

impl Manner {
    pub(crate) fn fate(self) -> Fate {
        match self {
            Self::Rejecting | Self::Redirecting => Fate::Die(&[REJECTED, DISABLED]),
            Self::Gone => Fate::Die(&["gone", DISABLED]),
            Self::Forbidden | Self::Hanging | Self::Mute | Self::Unresolvable => Fate::Die(&[EXHAUSTED, DISABLED]),
            Self::Failing => Fate::Recover,
            Self::Switched | Self::Deleted => Fate::Open,
            _ => Fate::Arrive,
        }
    }

    /// Whether descriptions may change meanwhile: with each change an endpoint's failures begin anew, and what is deleted
    /// can't be changed.
    pub(crate) fn is_edited(self) -> bool {
        !matches!(self, Self::Failing | Self::Deleted)
    }

    /// Requests under way at once, of those that last longer than a revoke waits and arrive all the same.
    pub(crate) fn lasting_at_once(self) -> Option<usize> {
        match self {
            Self::Lasting => Some(LASTING_AT_ONCE),
            Self::Dripping => Some(BAD_AT_ONCE),
            _ => None,
        }
    }

    pub(crate) fn customize(self, endpoint: &mut Endpoint) {
        match self {
            Self::Slow => {
                endpoint.rate_limit = Some(Limit {
                    per_second: SLOW_PER_SEC,
                    burst: SLOW_BURST as i32,
                });
                endpoint.max_in_flight = Some(SLOW_AT_ONCE as i32);
            }
            Self::Lasting => endpoint.max_in_flight = Some(LASTING_AT_ONCE as i32),
            Self::Forbidden => endpoint.retry_schedule_sec = Some(Vec::new()),
            Self::Hanging | Self::Dripping | Self::Mute | Self::Unresolvable => {
                endpoint.max_in_flight = Some(BAD_AT_ONCE as i32);
                endpoint.timeout_sec = Some(BAD_TIMEOUT_SEC);
                // One that drips succeeds, but in the meantime its dispatcher may die.
                if self != Self::Dripping {
                    endpoint.retry_schedule_sec = Some(BAD_SCHEDULE_SEC.to_vec());
                }
            }
            Self::Failing => endpoint.retry_schedule_sec = Some(FAILING_SCHEDULE_SEC.to_vec()),
            Self::SignedTwice => "both".clone_into(&mut endpoint.signature_scheme),
            Self::SignedByKey => "v1a".clone_into(&mut endpoint.signature_scheme),
            Self::CloudEvents => "cloudevents".clone_into(&mut endpoint.envelope),
            Self::Raw => "raw".clone_into(&mut endpoint.envelope),
            _ => {}
        }
    }

    /// Of a receiver at this URL.
    pub(crate) fn behaviour(self, url: &str, seed: u64) -> Behaviour {
        match self {
            Self::Rejecting => Behaviour::always(Answer::status(404)),
            Self::Gone => Behaviour::always(Answer::status(410)),
            Self::Failing => Behaviour::always(Answer::status(503)),
            Self::Hanging => Behaviour::always(Answer::hang()),
            Self::Flooding => Behaviour::always(Answer::flood()),
            Self::Dripping => Behaviour::always(Answer::drip()),
            Self::Redirecting => Behaviour::always(Answer::redirect(url)),
            Self::Flaky => Behaviour::by(move |seen, before| match roll(seed, seen, before) % 10 {
                0..3 => Answer::status(503),
                _ => Answer::ok(),
            }),
            Self::Slow => Behaviour::by(move |seen, before| {
                Answer::slow(Duration::from_millis(50 + roll(seed, seen, before) % 250))
            }),
            Self::Lasting => Behaviour::by(move |seen, before| lasting(roll(seed, seen, before))),
            _ => Behaviour::always(Answer::ok()),
        }
    }
}

/// One in ten.
fn lasting(rolled: u64) -> Answer {
    match rolled % 10 {
        0 => Answer::slow(Duration::from_millis(1_200 + rolled % 1_800)),
        _ => Answer::ok(),
    }
}

fn roll(seed: u64, seen: &Seen, before: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, &seen.event_id, before).hash(&mut hasher);
    hasher.finish()
}
