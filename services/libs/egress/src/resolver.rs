//! Resolves the names that connections are made to, at the moment when they are made, and hands on only addresses that
//! the policy allows: what is connected to is what was judged. A name with one forbidden address is refused as a
//! whole. Nothing is cached: the system's resolver does, and keep-alive makes look-ups rare.

use crate::denied::{Denied, Rule};
use crate::lookup::SharedLookups;
use crate::policy::Policy;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub(crate) struct Resolver {
    pub lookups: SharedLookups,
    pub names: Names,
}

/// Which names are resolved.
pub(crate) enum Names {
    /// Those whose addresses this policy allows.
    Allowed(Arc<Policy>),
    /// The operator's proxy alone, which may be anywhere: nothing goes past it.
    Proxy(String),
}

/// The name has no address.
#[derive(Debug, thiserror::Error)]
#[error("{name} can't be resolved: {message}")]
pub(crate) struct Unresolved {
    name: String,
    message: Arc<str>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let lookups = self.lookups.clone();
        let policy = match &self.names {
            Names::Allowed(policy) => Some(Arc::clone(policy)),
            Names::Proxy(proxy) if proxy == name.as_str() => None,
            Names::Proxy(_) => {
                let denied = Denied::new(Rule::Name, "only the proxy is connected to");
                return Box::pin(std::future::ready(Err(denied.into())));
            }
        };
        Box::pin(async move {
            let name = name.as_str();
            let unresolved = |message| Unresolved {
                name: name.to_owned(),
                message,
            };
            let found = lookups.addresses(name).await.map_err(unresolved)?;
            if let Some(policy) = policy {
                judge(&policy, name, &found)?;
            }
            // Port 0 stands for the URL's.
            let addresses: Vec<_> = found.iter().map(|address| SocketAddr::new(*address, 0)).collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// # Errors
/// [`Denied`] unless every address is allowed. It doesn't say which address isn't: a tenant must not learn an internal
/// network's addresses from us.
pub(crate) fn judge(policy: &Policy, name: &str, found: &[IpAddr]) -> Result<(), Denied> {
    let allowed = found.iter().filter(|address| policy.allows(**address)).count();
    let reason = match allowed {
        all if all == found.len() => return Ok(()),
        0 => format!("{name} has no address that is public or allowed here"),
        _ => format!("{name} has an address that is neither public nor allowed here"),
    };
    Err(Denied::new(Rule::Name, reason))
}
