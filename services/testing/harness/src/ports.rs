//! Ports on 127.0.0.1 for processes that are told where to listen.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::bail;

/// Below the range that Linux gives to outgoing connections, and above that of the brokers, so that whoever is down for
/// a while finds its port again.
const FIRST: u16 = 10_000;
const COUNT: u16 = 9_000;

/// A port that nothing listens on now, and that this process has not given out before.
pub(crate) fn free() -> anyhow::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two test processes that begin at the same time should not walk the same ports.
    let _ = NEXT.compare_exchange(0, rand::random_range(1..COUNT), Ordering::SeqCst, Ordering::SeqCst);
    for _ in 0..1_000 {
        let port = FIRST + NEXT.fetch_add(1, Ordering::SeqCst) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port on 127.0.0.1 from {FIRST} on")
}
