//! What a receiver writes down of each request, and what it makes of that afterwards. The first must cost next to
//! nothing: it is part of every measurement.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use signing::SigningSecret;

use super::request::Request;

/// One request in this many is kept, and verified in the end.
const SAMPLE_EVERY: usize = 100;
const TOLERANCE_S: i64 = 300;
/// Longer between two requests than any scheduling of a machine that isn't overloaded.
const GAP: Duration = Duration::from_millis(5);

/// What came, from the receiver's point of view.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    /// Different `webhook-id`s.
    pub(crate) distinct: u64,
    pub(crate) body_bytes: u64,
    /// From the first request to the last.
    pub(crate) span_us: u64,
    /// Of that, in which nothing came for [`GAP`] and longer: the sender had nothing to send.
    pub(crate) gaps: u64,
    pub(crate) gaps_us: u64,
    /// Requests whose signature was verified.
    pub(crate) sampled: u64,
    pub(crate) bad_signatures: u64,
}

impl Tally {
    /// Requests a second from the first to the last.
    pub(crate) fn per_second(&self) -> f64 {
        self.requests.saturating_sub(1) as f64 * 1e6 / (self.span_us.max(1) as f64)
    }
}

/// A tally being made.
#[derive(Default)]
pub(super) struct Counting {
    secrets: Vec<SigningSecret>,
    ids: Vec<u64>,
    body_bytes: u64,
    span: Option<(Instant, Instant)>,
    gaps: Vec<Duration>,
    samples: Vec<Sample>,
}

struct Sample {
    listener: usize,
    id: Vec<u8>,
    timestamp: Vec<u8>,
    signature: Vec<u8>,
    body: Vec<u8>,
}

impl Counting {
    pub(super) fn new(secrets: Vec<SigningSecret>) -> Self {
        Self {
            secrets,
            // Room is made before, not while it is measured.
            ids: Vec::with_capacity(1 << 18),
            ..Self::default()
        }
    }

    pub(super) fn note(&mut self, listener: usize, request: &Request<'_>) {
        let now = Instant::now();
        let (first, last) = self.span.unwrap_or((now, now));
        if now - last >= GAP {
            self.gaps.push(now - last);
        }
        self.span = Some((first, now));
        self.body_bytes += request.body.len() as u64;
        let mut hasher = DefaultHasher::new();
        request.id.hash(&mut hasher);
        if self.ids.len().is_multiple_of(SAMPLE_EVERY) {
            self.samples.push(Sample {
                listener,
                id: request.id.to_vec(),
                timestamp: request.timestamp.to_vec(),
                signature: request.signature.to_vec(),
                body: request.body.to_vec(),
            });
        }
        self.ids.push(hasher.finish());
    }

    pub(super) fn count(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn tally(&self, now_s: i64) -> Tally {
        let distinct: HashSet<u64> = self.ids.iter().copied().collect();
        let bad = self.samples.iter().filter(|sample| !self.verifies(sample, now_s));
        Tally {
            requests: self.ids.len() as u64,
            distinct: distinct.len() as u64,
            body_bytes: self.body_bytes,
            span_us: self.span.map_or(0, |(first, last)| micros(last - first)),
            gaps: self.gaps.len() as u64,
            gaps_us: micros(self.gaps.iter().sum()),
            sampled: self.samples.len() as u64,
            bad_signatures: bad.count() as u64,
        }
    }

    fn verifies(&self, sample: &Sample, now_s: i64) -> bool {
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        let Some(secret) = self.secrets.get(sample.listener) else {
            return false;
        };
        let (id, timestamp, signature) = (text(&sample.id), text(&sample.timestamp), text(&sample.signature));
        signing::verify(id, timestamp, signature, &sample.body, &[secret], now_s, TOLERANCE_S).is_ok()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    //! Counting, and the sample of the first request.
    use super::*;

    #[test]
    fn repeats_and_forgeries_are_told_apart() {
        let (ours, other) = (SigningSecret::generate(), SigningSecret::generate());
        let signature = signing::sign_v1("a", 100, b"{}", &[&ours]);
        let request = Request {
            id: b"a",
            timestamp: b"100",
            signature: signature.as_bytes(),
            body: b"{}",
            bytes: 0,
        };
        for (secret, bad) in [(ours, 0), (other, 1)] {
            let mut counting = Counting::new(vec![secret]);
            counting.note(0, &request);
            counting.note(0, &request);
            let tally = counting.tally(100);
            assert_eq!((tally.requests, tally.distinct, tally.body_bytes), (2, 1, 4));
            assert_eq!((tally.sampled, tally.bad_signatures), (1, bad));
        }
    }
}
