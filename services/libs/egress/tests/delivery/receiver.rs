//! A receiver on loopback that follows a script to the byte, so that it can misbehave as no HTTP library would.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens after the script's bytes were written.
#[derive(Debug, Clone)]
pub enum Then {
    /// The next request is read.
    KeepAlive,
    Close,
    /// The connection is aborted (RST).
    Reset,
    /// Nothing more, with the connection open.
    Hang,
    /// This again and again, as fast as it is read.
    Repeat(Vec<u8>),
    /// One byte at a time.
    Trickle(Duration),
}

#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    /// Of them, those that are open.
    open: usize,
    requests: Vec<String>,
    /// Bytes that the system took for the client.
    written: usize,
}

type Watched = Arc<watch::Sender<Seen>>;

pub struct Receiver {
    pub address: SocketAddr,
    seen: Watched,
    accepting: JoinHandle<()>,
}

/// A whole response.
pub fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

impl Receiver {
    /// Reads each request whole, then follows the script.
    pub async fn start(bytes: impl Into<Vec<u8>>, then: Then) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), bytes, then).await
    }

    pub async fn start_at(address: SocketAddr, bytes: impl Into<Vec<u8>>, then: Then) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (seen, bytes) = (Watched::default(), Arc::new(bytes.into()));
        let shared = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.send_modify(|seen| {
                    seen.connections += 1;
                    seen.open += 1;
                });
                let (seen, bytes, then) = (Arc::clone(&shared), Arc::clone(&bytes), then.clone());
                tokio::spawn(async move {
                    serve(stream, &seen, &bytes, then).await;
                    seen.send_modify(|seen| seen.open -= 1);
                });
            }
        });
        Self {
            address,
            seen,
            accepting,
        }
    }

    pub fn connections(&self) -> usize {
        self.seen.borrow().connections
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.borrow().requests.clone()
    }

    pub fn written(&self) -> usize {
        self.seen.borrow().written
    }

    /// Waits until the client has closed every connection that it made.
    pub async fn is_left_alone(&self) {
        let mut seen = self.seen.subscribe();
        let closed = seen.wait_for(|seen| seen.connections > 0 && seen.open == 0);
        let closed = tokio::time::timeout(Duration::from_secs(10), closed).await;
        closed.expect("the client goes on reading").expect("its sender lives");
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, seen: &Watched, bytes: &[u8], then: Then) {
    while let Some(request) = read_request(&mut stream).await {
        seen.send_modify(|seen| seen.requests.push(request));
        write(&mut stream, seen, bytes).await;
        match &then {
            Then::KeepAlive => {}
            Then::Close => return,
            Then::Reset => return stream.set_zero_linger().expect("a socket can be reset"),
            Then::Hang => while stream.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {},
            Then::Repeat(more) => while write(&mut stream, seen, more).await {},
            Then::Trickle(pause) => {
                let mut every = tokio::time::interval(*pause);
                while write(&mut stream, seen, b"x").await {
                    every.tick().await;
                }
            }
        }
    }
}

async fn write(stream: &mut TcpStream, seen: &Watched, bytes: &[u8]) -> bool {
    let is_written = stream.write_all(bytes).await.is_ok();
    seen.send_modify(|seen| seen.written += bytes.len());
    is_written
}

/// Head and body of the next request; of what isn't HTTP, what came first. `None` at the connection's end.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if text.starts_with("POST") {
                continue;
            }
            return Some(text);
        };
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")
                    .map(str::to_owned)
            })
            .and_then(|length| length.parse::<usize>().ok())
            .unwrap_or(0);
        if body.len() >= length {
            return Some(text);
        }
    }
}
