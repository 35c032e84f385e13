//! An address where no request may go: it counts the connections that come all the same.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Closes every connection at once; it listens until this is dropped.
pub struct Trap {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
}

impl Trap {
    /// Listens on a port of its own on this address of this machine.
    pub async fn set(address: Ipv4Addr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((address, 0))
            .await
            .with_context(|| format!("cannot listen on {address}"))?;
        let address = listener.local_addr()?;
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let listening = tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(Self {
            address,
            connections,
            listening,
        })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// A URL with this address in it.
    pub fn url(&self) -> String {
        format!("http://{}/blocked", self.address)
    }

    /// How many have come.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
