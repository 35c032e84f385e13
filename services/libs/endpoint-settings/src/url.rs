//! An endpoint's URL by the egress policy, and what an operator could do about a refusal.

use crate::Problem;
use egress::{IpNet, Policy};
use std::net::IpAddr;

pub(crate) fn check(url: &str, policy: &Policy) -> Result<(), Problem> {
    let Err(denied) = policy.check_url(url) else {
        return Ok(());
    };
    let generous = Policy {
        allow_networks: [IpAddr::from([0_u8; 4]), IpAddr::from([0_u8; 16])]
            .map(|any| IpNet::new_assert(any, 0))
            .to_vec(),
        allow_http: true,
    };
    let message = if generous.check_url(url).is_ok() {
        format!("{denied}; an operator may allow more with egress.allow_networks and egress.allow_http")
    } else {
        denied.to_string()
    };
    Err(Problem::new("url", message))
}
