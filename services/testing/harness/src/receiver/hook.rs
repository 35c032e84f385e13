//! One endpoint of a receiver: what it was told, what came, and what follows from that for assertions.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::signature::Expected;
use super::{Answer, Behaviour};

/// A request that came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `<prefix>id`
    pub delivery_id: String,
    /// `<prefix>event-id`
    pub event_id: String,
    /// `<prefix>attempt`; 0 when it was missing.
    pub attempt: u32,
    /// `<prefix>replay: true`
    pub replay: bool,
    /// What was answered; None while it isn't, and for ever when the sender went away before.
    pub status: Option<u16>,
    pub at: Instant,
    pub body_sha256: [u8; 32],
    pub verified: bool,
    /// Only with [`Hook::keep_contents`].
    pub body: Bytes,
    /// Only with [`Hook::keep_contents`].
    pub headers: HeaderMap,
}

impl Seen {
    /// Verified and answered with 2xx: what counts as delivered.
    pub fn is_delivered(&self) -> bool {
        self.verified && self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// Counts of what came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub requests: usize,
    /// Distinct events with a verified 2xx.
    pub delivered: usize,
    /// Further verified 2xx of those events.
    pub duplicates: usize,
    pub bad_signatures: usize,
    /// Distinct events whose verified 2xx was a replay.
    pub delivered_by_replay: usize,
    /// Most requests under way at once.
    pub most_at_once: usize,
}

/// An endpoint of a receiver. Cheap to clone.
#[derive(Clone)]
pub struct Hook {
    url: Arc<str>,
    state: Arc<Mutex<State>>,
}

struct State {
    behaviour: Behaviour,
    expected: Arc<[Expected]>,
    /// Requests that each of `expected` has accepted, in their order.
    accepted: Vec<usize>,
    keep_contents: bool,
    seen: Vec<Seen>,
    times: HashMap<String, usize>,
    delivered: HashSet<String>,
    replayed: HashSet<String>,
    tally: Tally,
    under_way: usize,
}

impl Hook {
    pub(super) fn new(url: String) -> Self {
        let nothing = Expected::new("webhook-", &[]).expect("no secret is no bad secret");
        let state = State {
            behaviour: Behaviour::always(Answer::ok()),
            expected: Arc::from([nothing]),
            accepted: vec![0],
            keep_contents: false,
            seen: Vec::new(),
            times: HashMap::new(),
            delivered: HashSet::new(),
            replayed: HashSet::new(),
            tally: Tally::default(),
            under_way: 0,
        };
        Self {
            url: url.into(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// What the endpoint is made with.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers like this from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.state.lock().behaviour = behaviour;
    }

    /// Requests must carry these headers, signed by each of these secrets (`whsec_…`) and private halves of public keys
    /// (`whpk_…`), and by nobody else. Until this is called every request counts as badly signed.
    pub fn expect_signatures(&self, header_prefix: &str, signers: &[String]) -> anyhow::Result<()> {
        self.expect_any_signatures(header_prefix, &[signers.to_vec()])
    }

    /// The same for any one of several sets of signers: before, during and after a rotation.
    pub fn expect_any_signatures(&self, header_prefix: &str, sets: &[Vec<String>]) -> anyhow::Result<()> {
        let expected = sets.iter().map(|signers| Expected::new(header_prefix, signers));
        let expected = expected.collect::<anyhow::Result<Vec<_>>>()?;
        let mut state = self.state.lock();
        state.accepted = vec![0; expected.len()];
        state.expected = expected.into();
        Ok(())
    }

    /// How many requests were signed by each of the sets, since they were set.
    pub fn accepted(&self) -> Vec<usize> {
        self.state.lock().accepted.clone()
    }

    /// Remembers bodies and headers too.
    pub fn keep_contents(&self) {
        self.state.lock().keep_contents = true;
    }

    /// Everything that came, in the order in which it came.
    pub fn requests(&self) -> Vec<Seen> {
        self.state.lock().seen.clone()
    }

    pub fn tally(&self) -> Tally {
        self.state.lock().tally
    }

    /// Ids of the events with a verified 2xx.
    pub fn delivered(&self) -> HashSet<String> {
        self.state.lock().delivered.clone()
    }

    /// Whether this event has had a verified 2xx.
    pub fn has_delivered(&self, event_id: &str) -> bool {
        self.state.lock().delivered.contains(event_id)
    }

    /// Most requests that came within any span of this length.
    pub fn most_within(&self, span: Duration) -> usize {
        let state = self.state.lock();
        let times: Vec<_> = state.seen.iter().map(|seen| seen.at).collect();
        let mut first = 0;
        let mut most = 0;
        for (last, at) in times.iter().enumerate() {
            while *at - times[first] >= span {
                first += 1;
            }
            most = most.max(last + 1 - first);
        }
        most
    }

    pub(super) fn arrived(&self, headers: &HeaderMap, body: Bytes) -> Arrived {
        let (expected, keep_contents) = {
            let state = self.state.lock();
            (state.expected.clone(), state.keep_contents)
        };
        let text = |name| {
            let value = expected.first().and_then(|first| first.header(headers, name));
            value.unwrap_or_default().to_owned()
        };
        let accepted = expected.iter().position(|set| set.accepts(headers, &body));
        let seen = Seen {
            delivery_id: text("id"),
            event_id: text("event-id"),
            attempt: text("attempt").parse().unwrap_or(0),
            replay: text("replay") == "true",
            status: None,
            at: Instant::now(),
            body_sha256: Sha256::digest(&body).into(),
            verified: accepted.is_some(),
            body: if keep_contents { body } else { Bytes::new() },
            headers: if keep_contents {
                headers.clone()
            } else {
                HeaderMap::new()
            },
        };
        let mut state = self.state.lock();
        if let Some(count) = accepted.and_then(|set| state.accepted.get_mut(set)) {
            *count += 1;
        }
        let times = state.times.entry(seen.delivery_id.clone()).or_default();
        let before = *times;
        *times += 1;
        let answer = state.behaviour.choose(&seen, before);
        state.tally.requests += 1;
        state.tally.bad_signatures += usize::from(!seen.verified);
        state.under_way += 1;
        state.tally.most_at_once = state.tally.most_at_once.max(state.under_way);
        state.seen.push(seen);
        Arrived {
            hook: self.clone(),
            index: state.seen.len() - 1,
            answer,
        }
    }
}

/// A request under way.
pub(super) struct Arrived {
    hook: Hook,
    index: usize,
    answer: Answer,
}

impl Arrived {
    pub(super) fn answer(&self) -> Answer {
        self.answer.clone()
    }

    pub(super) fn answered(&mut self, status: u16) {
        let mut state = self.hook.state.lock();
        state.seen[self.index].status = Some(status);
        let seen = &state.seen[self.index];
        if !seen.is_delivered() {
            return;
        }
        let (event_id, replay) = (seen.event_id.clone(), seen.replay);
        if replay && state.replayed.insert(event_id.clone()) {
            state.tally.delivered_by_replay += 1;
        }
        if state.delivered.insert(event_id) {
            state.tally.delivered += 1;
        } else {
            state.tally.duplicates += 1;
        }
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        self.hook.state.lock().under_way -= 1;
    }
}
