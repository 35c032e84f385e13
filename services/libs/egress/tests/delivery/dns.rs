//! A DNS server (RFC 1035, over UDP) that answers each question for the same name as its script says next, and a
//! client that asks it: what the system's resolver does, with an address of our own.

use egress::{Addresses, Lookup};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

const A: u16 = 1;
const AAAA: u16 = 28;
const NO_SUCH_NAME: u8 = 3;
/// Of a message before its questions.
const HEAD_BYTES: usize = 12;

/// A name's answers, one after the other; the last again and again. `None`: no answer at all.
pub type Script = Vec<Option<Vec<IpAddr>>>;

pub struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    answering: JoinHandle<()>,
}

/// The same answer always.
pub fn always(addresses: &[&str]) -> Script {
    in_turn(&[addresses])
}

pub fn in_turn(answers: &[&[&str]]) -> Script {
    let read = |text: &&str| text.parse().expect("an address");
    let answer = |answer: &&[&str]| Some(answer.iter().map(read).collect());
    answers.iter().map(answer).collect()
}

impl Server {
    pub async fn start(zone: impl IntoIterator<Item = (&'static str, Script)>) -> Self {
        let zone: HashMap<_, _> = zone.into_iter().collect();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = socket.local_addr().expect("it is bound");
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let answering = tokio::spawn(async move {
            let mut turns: HashMap<(String, u16), usize> = HashMap::new();
            let mut buffer = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                let (name, kind) = question(&buffer[..length]);
                counted.fetch_add(usize::from(kind == A), Ordering::SeqCst);
                let turn = turns.entry((name.clone(), kind)).or_default();
                let script = zone.get(name.as_str());
                let answer = script.map(|script| script[(*turn).min(script.len() - 1)].as_deref());
                *turn += 1;
                if let Some(message) = response(&buffer[..length], kind, answer) {
                    let _ = socket.send_to(&message, client).await;
                }
            }
        });
        Self {
            address,
            asked,
            answering,
        }
    }

    pub fn lookup(&self) -> Arc<dyn Lookup> {
        Arc::new(Client { server: self.address })
    }

    /// How often a name was looked up.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

/// Name and type of a message's only question.
fn question(message: &[u8]) -> (String, u16) {
    let mut at = HEAD_BYTES;
    let mut labels = Vec::new();
    while message[at] != 0 {
        let label = &message[at + 1..][..usize::from(message[at])];
        labels.push(String::from_utf8_lossy(label).into_owned());
        at += 1 + label.len();
    }
    (labels.join("."), u16::from_be_bytes([message[at + 1], message[at + 2]]))
}

/// `None` for who gets no answer.
fn response(query: &[u8], kind: u16, answer: Option<Option<&[IpAddr]>>) -> Option<Vec<u8>> {
    let (addresses, code) = match answer {
        Some(None) => return None,
        Some(Some(addresses)) => (addresses, 0),
        None => (&[][..], NO_SUCH_NAME),
    };
    let of_kind: Vec<_> = addresses.iter().filter(|a| a.is_ipv4() == (kind == A)).collect();
    let mut message = query.to_vec();
    // An answer, with recursion, as it was asked for.
    message[2..4].copy_from_slice(&[0x81, 0x80 | code]);
    message[7] = u8::try_from(of_kind.len()).expect("few addresses");
    for address in of_kind {
        let data = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        // The question's name, type, class IN, no time to live.
        message.extend([
            0xc0,
            0x0c,
            0,
            u8::try_from(kind).expect("A or AAAA"),
            0,
            1,
            0,
            0,
            0,
            0,
            0,
        ]);
        message.push(u8::try_from(data.len()).expect("4 or 16"));
        message.extend(data);
    }
    Some(message)
}

#[derive(Debug)]
struct Client {
    server: SocketAddr,
}

impl Lookup for Client {
    fn addresses(&self, name: &str) -> Addresses {
        let (server, name) = (self.server, name.to_owned());
        Box::pin(async move {
            let mut found = ask(server, &name, A).await?;
            found.extend(ask(server, &name, AAAA).await?);
            Ok(found)
        })
    }
}

async fn ask(server: SocketAddr, name: &str, kind: u16) -> io::Result<Vec<IpAddr>> {
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        query.push(u8::try_from(label.len()).map_err(io::Error::other)?);
        query.extend(label.as_bytes());
    }
    query.extend([&[0][..], &kind.to_be_bytes(), &[0, 1]].concat());
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.send_to(&query, server).await?;
    let mut buffer = [0; 512];
    let length = tokio::time::timeout(Duration::from_secs(5), socket.recv(&mut buffer)).await??;
    let message = &buffer[..length];
    if message[3] & 0xf == NO_SUCH_NAME {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no such name"));
    }
    let mut rest = &message[query.len()..];
    let mut found = Vec::new();
    for _ in 0..message[7] {
        let length = usize::from(rest[11]);
        let data = &rest[12..12 + length];
        found.extend(<[u8; 4]>::try_from(data).map(IpAddr::from).ok());
        found.extend(<[u8; 16]>::try_from(data).map(IpAddr::from).ok());
        rest = &rest[12 + length..];
    }
    Ok(found)
}
