//! A server that accepts connections and never says a word, so that a TLS handshake with it doesn't end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Listens until this is dropped.
pub struct Mute {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
}

impl Mute {
    /// Listens on a port of its own on 127.0.0.1.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen")?;
        let address = listener.local_addr()?;
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(swallow(stream));
            }
        });
        Ok(Self {
            address,
            connections,
            listening,
        })
    }

    /// An `https` URL there.
    pub fn url(&self) -> String {
        format!("https://{}/mute", self.address)
    }

    /// How many have come.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Until the other side has had enough.
async fn swallow(mut stream: TcpStream) {
    let mut said = [0; 4096];
    while stream.read(&mut said).await.is_ok_and(|bytes| bytes > 0) {}
}

impl Drop for Mute {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
