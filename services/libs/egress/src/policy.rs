//! Where a request may go: public addresses, and the networks that the operator lets through. It judges URLs and
//! addresses; names are judged by what they resolve to, in `resolver`.

use crate::address::{carried, is_metadata, is_public};
use crate::denied::{Denied, Rule};
use crate::ports;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// The egress policy of an installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// `egress.allow_networks`: let through besides public addresses. See [`Policy::allows`] for what a wide network
    /// doesn't open.
    pub allow_networks: Vec<IpNet>,
    /// `egress.allow_http`
    pub allow_http: bool,
}

impl Policy {
    /// Reads a URL and judges it: what is set on an endpoint passes here.
    ///
    /// # Errors
    /// [`Denied`] for what isn't a URL, too.
    pub fn check_url(&self, text: &str) -> Result<Url, Denied> {
        let url = Url::parse(text).map_err(Denied::unreadable)?;
        self.check(&url)?;
        Ok(url)
    }

    /// Judges scheme, user information, port and a literal address. (`Url` has read every spelling of it: `127.1`,
    /// `2130706433`, `0x7f.1`.)
    ///
    /// # Errors
    /// [`Denied`]
    pub fn check(&self, url: &Url) -> Result<(), Denied> {
        let denied = |rule, reason: &str| Err(Denied::new(rule, reason));
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            "http" => return denied(Rule::Scheme, "plain http is not allowed here: use an https URL"),
            _ => return denied(Rule::Scheme, "the URL must begin with https://"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            let reason = "the URL must not hold a user name or password: use a header";
            return denied(Rule::UserInfo, reason);
        }
        if let Some(port) = url.port().filter(|port| ports::is_bad(*port)) {
            let reason = format!("port {port} belongs to another protocol: use another port");
            return denied(Rule::Port, &reason);
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.check_literal(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => self.check_literal(IpAddr::V6(address)),
            Some(Host::Domain(name)) if is_this_machine(name) && !self.allows_loopback() => denied(
                Rule::Name,
                "localhost is not public, and its network is not allowed here",
            ),
            Some(Host::Domain(_)) => Ok(()),
            None => denied(Rule::Host, "the URL must name a host"),
        }
    }

    fn check_literal(&self, address: IpAddr) -> Result<(), Denied> {
        if self.allows(address) {
            return Ok(());
        }
        let reason = format!("the address {address} is not public, and its network is not allowed here");
        Err(Denied::new(Rule::Address, reason))
    }

    /// Whether a connection to this address may be made: it is public, or within one of the networks. Two kinds ask
    /// for more:
    ///
    /// - A cloud's metadata service, by a network that is this address alone (`169.254.169.254/32`): nobody who allows
    ///   `100.64.0.0/10` or `0.0.0.0/0` means it.
    /// - An IPv6 address that carries an IPv4 one (NAT64, 6to4, Teredo, IPv4-compatible): both must be allowed, and no
    ///   such address counts as public.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        // `::ffff:a.b.c.d` as `a.b.c.d`: the system connects there.
        let address = address.to_canonical();
        if is_metadata(address) {
            let alone = |network: &IpNet| network.prefix_len() == network.max_prefix_len();
            return self
                .allow_networks
                .iter()
                .any(|network| alone(network) && network.addr() == address);
        }
        let listed = || self.allow_networks.iter().any(|network| network.contains(&address));
        if let IpAddr::V6(outer) = address
            && let Some(inner) = carried(outer)
        {
            return listed() && self.allows(IpAddr::V4(inner));
        }
        is_public(address) || listed()
    }

    fn allows_loopback(&self) -> bool {
        self.allows(Ipv4Addr::LOCALHOST.into()) || self.allows(Ipv6Addr::LOCALHOST.into())
    }
}

/// `localhost` and what is under it are this machine, whatever a resolver says (RFC 6761, 6.3).
fn is_this_machine(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
#[path = "policy/tests.rs"]
mod tests;
