//! What a receiver answers: a function of the delivery and of how often it came.

use std::sync::Arc;
use std::time::Duration;

use super::Seen;

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub delay: Duration,
    /// Never answers: the sender's timeout ends the request.
    pub hangs: bool,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// What comes in place of `body`.
    pub pour: Option<Pour>,
}

/// A body that the sender had better not wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pour {
    /// This many bytes, as fast as they are taken.
    Flood(usize),
    /// A byte a second, for ever.
    Drip,
}

impl Answer {
    /// This status, at once, with a word in the body.
    pub fn status(status: u16) -> Self {
        let body = if (200..300).contains(&status) {
            ""
        } else {
            "the receiver was told to answer this"
        };
        Self {
            status,
            delay: Duration::ZERO,
            hangs: false,
            headers: Vec::new(),
            body: body.to_owned(),
            pour: None,
        }
    }

    /// 200, at once.
    pub fn ok() -> Self {
        Self::status(200)
    }

    /// 200 after a while.
    pub fn slow(delay: Duration) -> Self {
        Self { delay, ..Self::ok() }
    }

    /// Nothing, ever.
    pub fn hang() -> Self {
        Self {
            hangs: true,
            ..Self::ok()
        }
    }

    /// 200 with 100 MB.
    pub fn flood() -> Self {
        Self {
            pour: Some(Pour::Flood(100 << 20)),
            ..Self::ok()
        }
    }

    /// 200 with a byte a second.
    pub fn drip() -> Self {
        Self {
            pour: Some(Pour::Drip),
            ..Self::ok()
        }
    }

    /// 302 to this URL.
    pub fn redirect(url: &str) -> Self {
        Self::status(302).with_header("location", url)
    }

    /// 429 with `Retry-After`.
    pub fn retry_after(seconds: u32) -> Self {
        Self::status(429).with_header("retry-after", &seconds.to_string())
    }

    /// The same with a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

type Choice = dyn Fn(&Seen, usize) -> Answer + Send + Sync;

/// Chooses the answer to each request, by what came and how often this delivery came before (0: never).
#[derive(Clone)]
pub struct Behaviour(Arc<Choice>);

impl Behaviour {
    /// Anything.
    pub fn by(choose: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self(Arc::new(choose))
    }

    /// Always this.
    pub fn always(answer: Answer) -> Self {
        Self::by(move |_, _| answer.clone())
    }

    /// These for the first requests of each delivery, in their order, and 200 after them.
    pub fn first(answers: Vec<Answer>) -> Self {
        Self::by(move |_, before| answers.get(before).cloned().unwrap_or_else(Answer::ok))
    }

    /// `status` for the first `times` requests of each delivery, then 200.
    pub fn flaky(times: usize, status: u16) -> Self {
        Self::first(vec![Answer::status(status); times])
    }

    pub(super) fn choose(&self, seen: &Seen, before: usize) -> Answer {
        (self.0)(seen, before)
    }
}
