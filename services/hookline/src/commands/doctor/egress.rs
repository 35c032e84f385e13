//! What the egress policy lets through beyond public https, and whether what deliveries need is there.

use super::report::Report;
use crate::config::Config;
use crate::connect;
use egress::{IpNet, Policy};
use std::net::IpAddr;
use std::time::Duration;
use tokio::net::TcpStream;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Where clouds hand out credentials.
const METADATA: [&str; 4] = ["169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254"];
/// Networks that are wider let most of the internet, or most of what is private, through.
const WIDE_V4: u8 = 8;
const WIDE_V6: u8 = 16;

pub fn policy(report: &mut Report, config: &Config) -> anyhow::Result<()> {
    let policy = connect::egress_policy(config);
    let concerns = concerns(&policy);
    for concern in &concerns {
        report.warn("egress", concern.clone())?;
    }
    let options = egress::Options {
        policy,
        ca_file: config.egress.ca_file.clone(),
        client_cert_file: config.egress.client_cert_file.clone(),
        client_key_file: config.egress.client_key_file.clone(),
        proxy: config.egress.proxy.clone(),
        ..egress::Options::default()
    };
    let allowed = config.egress.allow_networks.join(", ");
    match egress::Client::new(options) {
        Err(error) => report.fail("egress", error.to_string()),
        Ok(_) if !concerns.is_empty() => Ok(()),
        Ok(_) if allowed.is_empty() => report.ok("egress", "https to public addresses alone"),
        Ok(_) => report.ok("egress", format!("https to public addresses and {allowed}")),
    }
}

/// What is riskier than it need be.
fn concerns(policy: &Policy) -> Vec<String> {
    let mut concerns = Vec::new();
    if policy.allow_http {
        concerns.push(
            "egress.allow_http is set: payloads may travel in clear, and anybody on the way may change the answer; leave it \
             out in production"
                .to_owned(),
        );
    }
    let metadata = METADATA.iter().filter_map(|text| text.parse::<IpAddr>().ok());
    for address in metadata.filter(|address| policy.allows(*address)) {
        concerns.push(format!(
            "egress.allow_networks lets tenants' endpoints reach {address}, where a cloud hands out credentials; take it out"
        ));
    }
    let is_wide = |network: &&IpNet| match network {
        IpNet::V4(network) => network.prefix_len() < WIDE_V4,
        IpNet::V6(network) => network.prefix_len() < WIDE_V6,
    };
    for network in policy.allow_networks.iter().filter(is_wide) {
        concerns.push(format!(
            "egress.allow_networks has {network}, which is nearly everything; name the networks that receivers are in"
        ));
    }
    concerns
}

pub async fn proxy(report: &mut Report, config: &Config) -> anyhow::Result<()> {
    let Some(proxy) = &config.egress.proxy else {
        return Ok(());
    };
    let address = proxy.address();
    match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&address)).await {
        Ok(Ok(_)) => report.ok(
            "proxy",
            format!("{address} accepts connections; it must refuse private addresses itself"),
        ),
        Ok(Err(error)) => report.fail(
            "proxy",
            format!("{address}: {error}; no delivery leaves until it answers, or egress.proxy is corrected"),
        ),
        Err(_) => report.fail(
            "proxy",
            format!(
                "{address} doesn't answer within {} s; check egress.proxy and the network",
                CONNECT_TIMEOUT.as_secs()
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_risky_is_named() {
        let policy = |networks: &[&str], allow_http| Policy {
            allow_networks: networks.iter().map(|text| text.parse().expect("a network")).collect(),
            allow_http,
        };
        assert!(concerns(&policy(&["127.0.0.0/8", "10.0.0.0/8"], false)).is_empty());
        assert_eq!(concerns(&policy(&[], true)).len(), 1);
        let found = concerns(&policy(&["169.254.169.254/32", "0.0.0.0/0", "::/0"], false));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("credentials") && found[1].contains("nearly everything"));
    }
}
