//! The cheapest real HTTP server: one thread, connections kept alive, one write for all that was read at once.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use bytes::{Buf, BytesMut};
use parking_lot::Mutex;
use signing::SigningSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::request::Request;
use super::tally::{Counting, Tally};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const BUFFER_BYTES: usize = 16 << 10;

type Shared = Arc<Mutex<Counting>>;

/// A server that runs until its process ends.
pub(super) struct Server {
    addresses: Vec<SocketAddr>,
    counting: Shared,
}

impl Server {
    /// Listens on ports of 127.0.0.1 that the system chooses.
    pub(super) fn start(listeners: usize) -> anyhow::Result<Self> {
        let counting = Shared::default();
        let mut addresses = Vec::new();
        let mut bound = Vec::new();
        for _ in 0..listeners {
            let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("cannot listen")?;
            listener.set_nonblocking(true)?;
            addresses.push(listener.local_addr()?);
            bound.push(listener);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let of_server = counting.clone();
        std::thread::Builder::new()
            .name("serve".to_owned())
            .spawn(move || runtime.block_on(listen(bound, of_server)))?;
        Ok(Self { addresses, counting })
    }

    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub(super) fn begin(&self, secrets: &[String]) -> anyhow::Result<()> {
        let secrets: Result<_, _> = secrets.iter().map(|secret| SigningSecret::parse(secret)).collect();
        *self.counting.lock() = Counting::new(secrets?);
        Ok(())
    }

    pub(super) fn count(&self) -> usize {
        self.counting.lock().count()
    }

    pub(super) fn end(&self) -> Tally {
        self.counting.lock().tally(runtime::clock::now_ms() / 1000)
    }
}

async fn listen(listeners: Vec<std::net::TcpListener>, counting: Shared) {
    for (number, listener) in listeners.into_iter().enumerate() {
        let counting = counting.clone();
        tokio::spawn(async move {
            if let Err(error) = accept(number, listener, counting).await {
                eprintln!("the receiver's listener {number} has ended: {error:#}");
            }
        });
    }
    std::future::pending::<()>().await;
}

async fn accept(number: usize, listener: std::net::TcpListener, counting: Shared) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let counting = counting.clone();
        tokio::spawn(async move {
            if let Err(error) = answer(number, stream, &counting).await {
                eprintln!("the receiver closes a connection: {error:#}");
            }
        });
    }
}

async fn answer(number: usize, mut stream: TcpStream, counting: &Shared) -> anyhow::Result<()> {
    let mut read = BytesMut::with_capacity(BUFFER_BYTES);
    let mut answers = Vec::with_capacity(OK.len());
    loop {
        while let Some(request) = Request::parse(&read)? {
            counting.lock().note(number, &request);
            let bytes = request.bytes;
            read.advance(bytes);
            answers.extend_from_slice(OK);
        }
        if !answers.is_empty() {
            stream.write_all(&answers).await?;
            answers.clear();
        }
        read.reserve(BUFFER_BYTES / 2);
        // A sender that ends may reset its connections.
        if !matches!(stream.read_buf(&mut read).await, Ok(bytes) if bytes > 0) {
            return Ok(());
        }
    }
}
