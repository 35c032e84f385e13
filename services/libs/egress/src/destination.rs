//! A URL that is read and judged once, for all the requests that go there.

use crate::denied::Denied;
use crate::policy::Policy;
use std::fmt;
use std::sync::Arc;
use url::Url;

/// Where requests go, with the policy's verdict on it. Made by [`Client::destination`](crate::Client::destination); a
/// request to a forbidden one fails as denied. Cheap to clone.
#[derive(Clone)]
pub struct Destination(Arc<Judged>);

struct Judged {
    by: Arc<Policy>,
    url: Result<Url, Denied>,
}

impl Destination {
    pub(crate) fn new(policy: &Arc<Policy>, text: &str) -> Self {
        Self(Arc::new(Judged {
            by: Arc::clone(policy),
            url: policy.check_url(text),
        }))
    }

    /// The URL, unless its scheme, port or literal address is forbidden. A name passes: it is judged when a connection
    /// is made.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn url(&self) -> Result<&Url, &Denied> {
        self.0.url.as_ref()
    }

    /// For a client with this policy: another's verdict isn't taken.
    pub(crate) fn url_by(&self, policy: &Arc<Policy>) -> Result<Url, Denied> {
        let url = self.0.url.clone()?;
        if !Arc::ptr_eq(policy, &self.0.by) {
            policy.check(&url)?;
        }
        Ok(url)
    }
}

/// Without the URL, whose query may be a secret (invariant 5).
impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.url() {
            Ok(url) => write!(f, "Destination({})", url.host_str().unwrap_or_default()),
            Err(denied) => write!(f, "Destination(denied: {denied})"),
        }
    }
}
