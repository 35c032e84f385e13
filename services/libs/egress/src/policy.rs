//! Where a request may go: public addresses, and the networks that the operator lets through. It judges URLs and
//! addresses; names are judged by what they resolve to, in `resolver`.

use crate::address::{is_public, unmapped};
use ipnet::IpNet;
use std::net::IpAddr;
use url::{Host, Url};

/// The egress policy of an installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// `egress.allow_networks`: let through besides public addresses.
    pub allow_networks: Vec<IpNet>,
    /// `egress.allow_http`
    pub allow_http: bool,
}

/// The policy forbids it. The reason is for whoever set the URL: it names no address that they didn't.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Denied {
    pub reason: String,
}

impl Denied {
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl Policy {
    /// Reads a URL and judges it: what is set on an endpoint passes here.
    ///
    /// # Errors
    /// [`Denied`] for what isn't a URL, too.
    pub fn check_url(&self, text: &str) -> Result<Url, Denied> {
        let url = Url::parse(text).map_err(|error| Denied::because(format!("this is not a URL: {error}")))?;
        self.check(&url)?;
        Ok(url)
    }

    /// Judges scheme, user information and a literal address. (`Url` has read every spelling of it: `127.1`,
    /// `2130706433`, `0x7f.1`.)
    ///
    /// # Errors
    /// [`Denied`]
    pub fn check(&self, url: &Url) -> Result<(), Denied> {
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            "http" => {
                return Err(Denied::because("plain http is not allowed here: use an https URL"));
            }
            _ => return Err(Denied::because("the URL must begin with https://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Denied::because(
                "the URL must not hold a user name or password: use a header",
            ));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Denied::because("the URL must name a host")),
        };
        if self.allows(literal) {
            return Ok(());
        }
        Err(Denied::because(format!(
            "the address {literal} is not public, and its network is not allowed here"
        )))
    }

    /// Whether a connection to this address may be made.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = unmapped(address);
        is_public(address) || self.allow_networks.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(networks: &[&str], allow_http: bool) -> Policy {
        let allow_networks = networks
            .iter()
            .map(|network| network.parse().expect("a network"))
            .collect();
        Policy {
            allow_networks,
            allow_http,
        }
    }

    #[test]
    fn refuses_a_private_address_in_any_spelling_invariant_4() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "017700000001",
            "0",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "169.254.169.254",
            "10.0.0.1",
            "192.168.0.1:8443",
            "１２７.０.０.１",
            "127.0.0.1.",
            "%31%32%37.0.0.1",
        ] {
            let denied = policy(&[], true).check_url(&format!("https://{host}/hook"));
            assert!(denied.is_err(), "{host}");
        }
    }

    #[test]
    fn lets_through_public_addresses_names_and_allowed_networks() {
        for url in [
            "https://example.com/x?y=1",
            "https://8.8.8.8/",
            "https://[2606:4700::1111]:8443/",
        ] {
            policy(&[], false).check_url(url).expect(url);
        }
        let local = policy(&["127.0.0.0/8", "fd00::/8"], true);
        for url in [
            "http://127.0.0.1:8080/",
            "http://[::ffff:127.0.0.1]/",
            "https://[fd00::1]/",
        ] {
            local.check_url(url).expect(url);
        }
        assert!(local.check_url("http://10.0.0.1/").is_err());
        assert!(local.check_url("http://[::1]/").is_err());
    }

    #[test]
    fn refuses_other_schemes_user_information_and_no_url() {
        for url in [
            "http://example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "example.com",
            "",
            "https://",
        ] {
            assert!(policy(&[], false).check_url(url).is_err(), "{url}");
        }
        for url in [
            "https://user@example.com/",
            "https://user:password@example.com/",
            "https://:p@example.com/",
        ] {
            let denied = policy(&[], false).check_url(url).expect_err(url);
            assert!(!denied.to_string().contains("user:") && denied.to_string().contains("header"));
        }
    }
}
