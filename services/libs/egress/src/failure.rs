//! Why a request has no status, told apart as far as someone can act on it. No message holds the URL: its query may be
//! a secret (invariant 5).

use crate::denied::Denied;
use crate::resolver::Unresolved;
use std::error::Error;
use std::fmt;
use std::io;

/// Longest message, in characters.
const MAX_CHARS: usize = 256;

/// A request without a status; each with a message of at most 256 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The egress policy forbids it: no request was made.
    Denied(Denied),
    /// The caller couldn't make the request up: no request was made.
    Unmade(String),
    /// The host's name has no address.
    Resolve(String),
    /// No connection.
    Connect(String),
    /// No trust, or no TLS.
    Tls(String),
    /// The connection or the answer took too long.
    Timeout(String),
    /// The connection broke, or what came is not HTTP.
    Io(String),
}

impl Failure {
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Denied(denied) => &denied.reason,
            Self::Unmade(message)
            | Self::Resolve(message)
            | Self::Connect(message)
            | Self::Tls(message)
            | Self::Timeout(message)
            | Self::Io(message) => message,
        }
    }

    /// Timeouts and other failures are told apart by outcome tables.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    pub(crate) fn of_request(error: &reqwest::Error) -> Self {
        if let Some(denied) = in_chain::<Denied>(error) {
            return refused(denied.clone());
        }
        if let Some(unresolved) = in_chain::<Unresolved>(error) {
            return Self::Resolve(bounded(&unresolved.to_string()));
        }
        let cause = bounded(&root_cause(error));
        match (error.is_timeout(), error.is_connect()) {
            (true, true) => Self::Timeout("connecting took too long".to_owned()),
            (true, false) => Self::Timeout("the answer took too long".to_owned()),
            (false, true) if is_tls(error) => Self::Tls(cause),
            (false, true) => Self::Connect(cause),
            (false, false) => Self::Io(cause),
        }
    }
}

impl From<Denied> for Failure {
    fn from(mut denied: Denied) -> Self {
        if denied.reason.len() > MAX_CHARS {
            denied.reason = bounded(&denied.reason);
        }
        Self::Denied(denied)
    }
}

/// Where every refusal of a request passes.
pub(crate) fn refused(denied: Denied) -> Failure {
    metrics::counter!("hookline_egress_denied_total", "kind" => denied.kind()).increment(1);
    denied.into()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Denied(_) => "denied",
            Self::Unmade(_) => "not made",
            Self::Resolve(_) => "name not resolved",
            Self::Connect(_) => "no connection",
            Self::Tls(_) => "tls",
            Self::Timeout(_) => "timeout",
            Self::Io(_) => "connection broke",
        };
        write!(f, "{what}: {}", self.message())
    }
}

impl Error for Failure {}

/// rustls' errors travel inside I/O errors of this kind, which may be wrapped in further ones.
fn is_tls(error: &reqwest::Error) -> bool {
    fn is_invalid_data(error: &io::Error) -> bool {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>());
        error.kind() == io::ErrorKind::InvalidData || inner.is_some_and(is_invalid_data)
    }
    in_chain::<io::Error>(error).is_some_and(is_invalid_data)
}

fn in_chain<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    chain(error).find_map(|error| error.downcast_ref())
}

fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| (**error).source())
}

/// The innermost message: outer ones repeat "error sending request".
fn root_cause(error: &reqwest::Error) -> String {
    chain(error)
        .last()
        .map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}

fn bounded(message: &str) -> String {
    message.chars().take(MAX_CHARS).collect()
}
