//! Free ports for brokers. Not reserved against other programs: a start that loses the race is tried again.

use std::net::TcpListener;

use anyhow::bail;

/// Below the range that Linux gives to outgoing connections, so that a node which is down for a while finds its port
/// again.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// `count` different ports on 127.0.0.1 that nothing listens on now.
pub(crate) fn free(count: usize) -> anyhow::Result<Vec<u16>> {
    let mut held = Vec::with_capacity(count);
    for _ in 0..1_000 {
        if held.len() == count {
            break;
        }
        let random = uuid::Uuid::new_v4();
        let [high, low, ..] = *random.as_bytes();
        let port = FIRST + u16::from_be_bytes([high, low]) % COUNT;
        // Held until all are found, so that no port comes twice.
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            held.push((port, listener));
        }
    }
    if held.len() < count {
        bail!(
            "found only {} of {count} free ports on 127.0.0.1 from {FIRST} on",
            held.len()
        );
    }
    Ok(held.into_iter().map(|(port, _)| port).collect())
}
