//! Wanted settings, as a caller has given them.

use schemas::ResourceScopes;
use std::collections::BTreeMap;
use std::str::FromStr;

/// What is to be set. `None`: it stays as it is. `Some(None)`: back to the default.
///
/// Has no `Debug`: header values are secrets (invariant 5).
#[derive(Clone, Default)]
pub struct Settings {
    pub url: Option<String>,
    pub event_type_filters: Option<Vec<String>>,
    pub description: Option<Option<String>>,
    pub resource_scopes: Option<Option<ResourceScopes>>,
    pub status: Option<Status>,
    /// All of them: what isn't named goes. [`crate::REDACTED`] keeps the value of one that is answered so.
    pub headers: Option<BTreeMap<String, String>>,
    pub rate_limit: Option<Option<RateLimit>>,
    pub max_in_flight: Option<Option<i32>>,
    pub timeout_sec: Option<Option<i32>>,
    pub retry_schedule_sec: Option<Option<Vec<i64>>>,
    pub ordering: Option<String>,
    pub on_exhausted: Option<String>,
    pub placement: Option<String>,
    pub envelope: Option<String>,
    pub dialect: Option<String>,
    pub disable_on_gone: Option<bool>,
    pub signature_scheme: Option<String>,
    pub metadata: Option<BTreeMap<String, String>>,
}

impl Settings {
    /// Whether nothing is to be set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.url.is_none()
            && self.event_type_filters.is_none()
            && self.description.is_none()
            && self.resource_scopes.is_none()
            && self.status.is_none()
            && self.headers.is_none()
            && self.rate_limit.is_none()
            && self.max_in_flight.is_none()
            && self.timeout_sec.is_none()
            && self.retry_schedule_sec.is_none()
            && self.ordering.is_none()
            && self.on_exhausted.is_none()
            && self.placement.is_none()
            && self.envelope.is_none()
            && self.dialect.is_none()
            && self.disable_on_gone.is_none()
            && self.signature_scheme.is_none()
            && self.metadata.is_none()
    }
}

/// Requests a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    pub per_second: f64,
    /// How many may come at once; the rate, but at least 1, when left out.
    pub burst: Option<i32>,
}

/// What a person may set: `auto_disabled` is Hookline's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Active,
    Paused,
    Disabled,
}

/// A status that nobody can set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown status `{0}`; use active, paused or disabled")]
pub struct UnknownStatus(String);

impl Status {
    pub const ALL: [Self; 3] = [Self::Active, Self::Paused, Self::Disabled];

    /// Its name in records, in the API and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(name: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == name)
            .ok_or_else(|| UnknownStatus(name.to_owned()))
    }
}
