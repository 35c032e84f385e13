//! Resolves names and hands on only addresses that the policy allows, so that what is connected to is what was judged.
//! It caches nothing: the system's resolver does, and keep-alive makes look-ups rare.

use crate::policy::{Denied, Policy};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) struct PolicyResolver {
    pub policy: Arc<Policy>,
}

/// The name has no address.
#[derive(Debug, thiserror::Error)]
#[error("{host} can't be resolved: {message}")]
pub(crate) struct Unresolved {
    host: String,
    message: String,
}

impl Resolve for PolicyResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.policy);
        Box::pin(async move {
            let host = name.as_str();
            let unresolved = |message: String| Unresolved {
                host: host.to_owned(),
                message,
            };
            let found: Vec<SocketAddr> = match tokio::net::lookup_host((host, 0)).await {
                Ok(addresses) => addresses.collect(),
                Err(error) => return Err(unresolved(error.to_string()).into()),
            };
            if found.is_empty() {
                return Err(unresolved("it has no address".to_owned()).into());
            }
            let allowed: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| policy.allows(address.ip()))
                .collect();
            if allowed.is_empty() {
                // Not which addresses it has: a tenant must not learn an internal network's names from us.
                return Err(Denied::because(format!("{host} has no address that is public or allowed here")).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
