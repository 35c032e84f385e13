//! An address where no request may go: it counts the connections that come all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Outside the network that the processes are allowed.
const ADDRESS: &str = "127.0.0.2:0";

/// It listens until this is dropped.
pub struct Trap {
    url: String,
    connections: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
}

impl Trap {
    pub async fn set() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(ADDRESS)
            .await
            .with_context(|| format!("cannot listen on {ADDRESS}"))?;
        let url = format!("http://{}/blocked", listener.local_addr()?);
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let listening = tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(Self {
            url,
            connections,
            listening,
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
