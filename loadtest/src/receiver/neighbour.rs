//! A bad neighbour: a server that treats whoever delivers to it badly, each in its own manner (two are there to compare
//! with: one is healthy, one gets nothing). It runs on a thread of its
//! own, counts what comes, and remembers how often each delivery came.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::{Buf, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::request::Request;

/// Of a slow answer.
const SLOW: Duration = Duration::from_secs(20);
const FLOOD_BYTES: usize = 100 << 20;
const CHUNK_BYTES: usize = 64 << 10;

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum Manner {
    /// Gets nothing: what is left is the machine's own noise
    Absent,
    /// Answers 200 at once: what as much traffic does that nobody treats badly
    Healthy,
    /// Answers 200 after 20 s
    Slow,
    /// Answers 200 with 100 MB
    Flood,
    /// Answers 200 with a byte a second
    Drip,
    /// Redirects to itself
    Redirect,
    /// Accepts connections and never takes part in the TLS handshake
    Handshake,
    /// Its name doesn't resolve
    Unresolvable,
    /// Reads requests and never answers
    #[value(skip)]
    Silent,
}

impl Manner {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Healthy => "healthy",
            Self::Slow => "slow",
            Self::Flood => "flood",
            Self::Drip => "drip",
            Self::Redirect => "redirect",
            Self::Handshake => "handshake",
            Self::Unresolvable => "unresolvable",
            Self::Silent => "silent",
        }
    }
}

/// A running one. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Neighbour {
    url: String,
    seen: Arc<Mutex<Seen>>,
    _stop: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Requests; of `Handshake`: connections.
    count: u64,
    by_delivery: HashMap<String, u32>,
}

impl Neighbour {
    /// Listens on a free port of 127.0.0.1. One that doesn't resolve listens too, and nothing comes.
    pub(crate) fn start(manner: Manner) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("cannot listen")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let url = match manner {
            Manner::Handshake => format!("https://{address}/hook"),
            Manner::Unresolvable => format!("http://neighbour.invalid:{}/hook", address.port()),
            _ => format!("http://{address}/hook"),
        };
        let seen = Arc::<Mutex<Seen>>::default();
        let (stop, stopped) = oneshot::channel();
        let server = serve(listener, manner, url.clone(), seen.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name(manner.name().to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        ended = server => eprintln!("the neighbour has ended: {ended:?}"),
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self { url, seen, _stop: stop })
    }

    /// What an endpoint is made with.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Requests so far; connections, where nobody gets as far as a request.
    pub(crate) fn count(&self) -> u64 {
        self.seen.lock().count
    }

    /// Requests with this delivery.
    pub(crate) fn times(&self, delivery_id: &str) -> u32 {
        self.seen.lock().by_delivery.get(delivery_id).copied().unwrap_or(0)
    }
}

async fn serve(
    listener: std::net::TcpListener,
    manner: Manner,
    url: String,
    seen: Arc<Mutex<Seen>>,
) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let url: Arc<str> = url.into();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        if manner == Manner::Handshake {
            seen.lock().count += 1;
        }
        let (url, seen) = (url.clone(), seen.clone());
        tokio::spawn(async move {
            // A sender may close its connections whenever it likes.
            let _ = talk(stream, manner, &url, &seen).await;
        });
    }
}

async fn talk(mut stream: TcpStream, manner: Manner, url: &str, seen: &Mutex<Seen>) -> anyhow::Result<()> {
    let mut read = BytesMut::with_capacity(CHUNK_BYTES);
    loop {
        if manner == Manner::Handshake {
            read.clear();
        }
        while let Some(request) = Request::parse(&read)? {
            let id = String::from_utf8_lossy(request.id).into_owned();
            let bytes = request.bytes;
            read.advance(bytes);
            {
                let mut seen = seen.lock();
                seen.count += 1;
                *seen.by_delivery.entry(id).or_default() += 1;
            }
            answer(&mut stream, manner, url).await?;
        }
        read.reserve(CHUNK_BYTES / 2);
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    }
}

async fn answer(stream: &mut TcpStream, manner: Manner, url: &str) -> anyhow::Result<()> {
    match manner {
        Manner::Healthy => stream.write_all(&head("200 OK", 0, "")).await?,
        Manner::Slow => {
            tokio::time::sleep(SLOW).await;
            stream.write_all(&head("200 OK", 0, "")).await?;
        }
        Manner::Flood => {
            stream.write_all(&head("200 OK", FLOOD_BYTES, "")).await?;
            let chunk = vec![b'x'; CHUNK_BYTES];
            for _ in 0..FLOOD_BYTES / CHUNK_BYTES {
                stream.write_all(&chunk).await?;
            }
        }
        Manner::Drip => {
            stream.write_all(&head("200 OK", FLOOD_BYTES, "")).await?;
            for _ in 0..FLOOD_BYTES {
                stream.write_all(b"x").await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Manner::Redirect => {
            let location = format!("location: {url}\r\n");
            stream.write_all(&head("302 Found", 0, &location)).await?;
        }
        Manner::Silent => std::future::pending().await,
        Manner::Absent | Manner::Handshake | Manner::Unresolvable => {}
    }
    Ok(())
}

fn head(status: &str, body_bytes: usize, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {body_bytes}\r\n{headers}\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    //! One manner by a real connection.
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_redirect_leads_to_itself_and_is_counted() {
        let neighbour = Neighbour::start(Manner::Redirect).expect("a free port");
        let address = neighbour.url().trim_start_matches("http://").trim_end_matches("/hook");
        let mut stream = std::net::TcpStream::connect(address).expect("it listens");
        stream
            .write_all(b"POST /hook HTTP/1.1\r\nwebhook-id: dlv_1\r\ncontent-length: 2\r\n\r\n{}")
            .expect("connected");
        let mut answer = [0; 512];
        let bytes = stream.read(&mut answer).expect("it answers");
        let answer = String::from_utf8_lossy(&answer[..bytes]);
        assert!(answer.starts_with("HTTP/1.1 302"), "{answer}");
        assert!(answer.contains(neighbour.url()), "{answer}");
        assert_eq!(
            (neighbour.count(), neighbour.times("dlv_1"), neighbour.times("dlv_2")),
            (1, 1, 0)
        );
    }
}
