//! A receiver on loopback that follows a script to the byte, so that it can misbehave as no HTTP library would.

use parking_lot::Mutex;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What happens after the script's bytes were written.
#[derive(Debug, Clone)]
pub enum Then {
    /// The next request is read.
    KeepAlive,
    Close,
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
    requests: Vec<String>,
}

pub struct Receiver {
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
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
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (seen, bytes) = (Arc::new(Mutex::new(Seen::default())), Arc::new(bytes.into()));
        let shared = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().connections += 1;
                tokio::spawn(serve(stream, Arc::clone(&shared), Arc::clone(&bytes), then.clone()));
            }
        });
        Self {
            address,
            seen,
            accepting,
        }
    }

    pub fn connections(&self) -> usize {
        self.seen.lock().connections
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().requests.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Seen>>, bytes: Arc<Vec<u8>>, then: Then) {
    while let Some(request) = read_request(&mut stream).await {
        seen.lock().requests.push(request);
        let _ = stream.write_all(&bytes).await;
        match &then {
            Then::KeepAlive => {}
            Then::Close => return,
            Then::Hang => std::future::pending().await,
            Then::Repeat(more) => while stream.write_all(more).await.is_ok() {},
            Then::Trickle(pause) => {
                let mut every = tokio::time::interval(*pause);
                while stream.write_all(b"x").await.is_ok() {
                    every.tick().await;
                }
            }
        }
    }
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
