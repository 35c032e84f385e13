//! `egress.proxy`: all requests go through it, plain ones as they are, others through a tunnel (CONNECT). It resolves
//! the names, so it must enforce the policy; what can be judged on this side is refused before it is asked.

use crate::denied::Denied;
use crate::lookup::{Lookup, SharedLookups};
use crate::policy::Policy;
use crate::resolver;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use url::{Host, Url};

/// Behind a proxy the local resolver may know no public name, and be slow to say so: by then the proxy is asked.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(3);

/// The verdict doesn't decide where the connection goes, so it may be this old, and not every request needs a look-up.
const VERDICTS_KEPT: Duration = Duration::from_secs(30);

/// A forward proxy's address, and its credentials, which are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    url: Url,
}

/// It can't be used as a proxy. The message doesn't repeat the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be http://host:port, or http://user:password@host:port if the proxy asks for it, and nothing after it")]
pub struct ProxyError;

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let url = Url::parse(text).map_err(|_| ProxyError)?;
        let nothing_more = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if url.scheme() == "http" && url.has_host() && url.port() != Some(0) && nothing_more {
            Ok(Self { url })
        } else {
            Err(ProxyError)
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.url.username().is_empty() && self.url.password().is_none();
        let credentials = if open { "" } else { "[redacted]@" };
        let host = self.host();
        let port = self.url.port_or_known_default().unwrap_or_default();
        write!(f, "Proxy(http://{credentials}{host}:{port})")
    }
}

impl Proxy {
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// `host:port`, without what it asks for to let one in.
    #[must_use]
    pub fn address(&self) -> String {
        format!(
            "{}:{}",
            self.host(),
            self.url.port_or_known_default().unwrap_or_default()
        )
    }

    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

/// Judges names before the proxy is asked.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    lookups: SharedLookups,
}

impl Gate {
    pub(crate) fn new(lookup: Arc<dyn Lookup>) -> Self {
        Self {
            lookups: SharedLookups::new(lookup, VERDICTS_KEPT),
        }
    }

    /// Refuses a name with a forbidden address. One that isn't resolved here is left to the proxy.
    ///
    /// # Errors
    /// [`Denied`]
    pub(crate) async fn check(&self, policy: &Policy, url: &Url, deadline: Instant) -> Result<(), Denied> {
        let Some(Host::Domain(name)) = url.host() else {
            return Ok(());
        };
        let patience = deadline.min(Instant::now() + LOOKUP_PATIENCE);
        match tokio::time::timeout_at(patience, self.lookups.addresses(name)).await {
            Ok(Ok(found)) => resolver::judge(policy, name, &found),
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_only_what_is_a_proxy_and_shows_no_credentials_invariant_5() {
        for (text, shown) in [
            ("http://proxy:3128", "Proxy(http://proxy:3128)"),
            ("http://10.0.0.1", "Proxy(http://10.0.0.1:80)"),
            ("http://[fd00::1]:8080/", "Proxy(http://[fd00::1]:8080)"),
            ("http://user:s3cret@proxy:3128", "Proxy(http://[redacted]@proxy:3128)"),
            ("http://:s3cret@proxy:3128", "Proxy(http://[redacted]@proxy:3128)"),
            ("http://s3cret@proxy:3128", "Proxy(http://[redacted]@proxy:3128)"),
        ] {
            let proxy: Proxy = text.parse().expect(text);
            assert_eq!(format!("{proxy:?}"), shown);
        }
        for text in [
            "",
            "proxy:3128",
            "https://user:s3cret@proxy:3128",
            "socks5://user:s3cret@proxy",
            "http://user:s3cret@",
            "http://user:s3cret@proxy/path",
            "http://proxy?s3cret",
            "http://proxy:0",
        ] {
            let error = text.parse::<Proxy>().expect_err(text);
            assert!(!format!("{error:?} {error}").contains("s3cret"));
        }
    }
}
