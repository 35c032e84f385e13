//! From the environment and the configuration to the HTTP API: where it is, and as whom commands speak to it.

use crate::config::Config;
use anyhow::Context as _;
use api_client::{Client, Patience, Settings};
use ledger::entities::is_key_shaped;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub const URL: &str = "HOOKLINE_URL";
pub const KEY: &str = "HOOKLINE_API_KEY";

/// As whom a command asks.
#[derive(Debug, Clone, Copy)]
pub enum As<'a> {
    /// With the operator's key.
    Operator,
    /// With the tenant's key; with the operator's when it acts for the tenant that is named.
    Tenant(Option<&'a str>),
}

/// A client of the API at `HOOKLINE_URL`, else of the one that this configuration's `api.listen` makes on this machine.
/// The key is `HOOKLINE_API_KEY`; where the operator asks, `api.operator_key` serves too, and goes before a tenant's key.
///
/// # Errors
/// Without a key, or when what is set can't be used.
pub fn client(config: &Config, asking: As<'_>) -> anyhow::Result<Client> {
    let operator = || {
        let key = config.api.operator_key.as_ref();
        key.map(|key| key.reveal().to_owned())
    };
    let (key, whose) = match asking {
        // A tenant's key, which is known by its form, is no operator's.
        As::Operator | As::Tenant(Some(_)) => {
            let key = variable(KEY);
            let is_tenants = key.as_deref().is_some_and(is_key_shaped);
            let key = if is_tenants {
                operator().or(key)
            } else {
                key.or_else(operator)
            };
            (key, "the operator's key")
        }
        As::Tenant(None) => (variable(KEY), "a key of the tenant"),
    };
    let key = key.with_context(|| {
        format!(
            "{KEY} is not set: set it to {whose}, and {URL} to where the API is; or work over Kafka, with --direct where \
             there is such a flag"
        )
    })?;
    let tenant = match asking {
        As::Operator => None,
        As::Tenant(tenant) => tenant,
    };
    connect(config, Some(&key), tenant)
}

/// The same, with whatever key there is.
pub fn connect(config: &Config, key: Option<&str>, tenant: Option<&str>) -> anyhow::Result<Client> {
    let url = variable(URL).unwrap_or_else(|| local_url(config.api.listen));
    Ok(Client::new(&Settings {
        url: &url,
        key,
        tenant,
        patience: Patience::default(),
    })?)
}

/// A variable that says something.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// How to reach what listens there from the same machine.
fn local_url(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_reached_by_loopback() {
        for (listen, url) in [
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            ("[::]:80", "http://[::1]:80"),
            ("10.0.0.5:9", "http://10.0.0.5:9"),
        ] {
            assert_eq!(local_url(listen.parse().expect("an address")), url);
        }
    }
}
