//! Through a proxy of the operator's: what is refused on this side, what is left to the proxy, and what it is told.

use crate::dns::{Server, always};
use crate::receiver::{Receiver, Then, response};
use crate::{TIMEOUT, local, post_to, tls};
use egress::{Client, Failure, Options, Policy};
use parking_lot::Mutex;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Takes everything to one place, whatever it is asked for.
struct Proxy {
    address: SocketAddr,
    /// Of each connection.
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn to(place: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, place, Arc::clone(&seen)));
            }
        });
        Self { address, heads }
    }
}

async fn carry(mut stream: TcpStream, place: SocketAddr, seen: Arc<Mutex<Vec<String>>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let is_tunnel = text.starts_with("CONNECT ");
    seen.lock().push(text);
    let mut onward = TcpStream::connect(place).await?;
    if is_tunnel {
        stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
    } else {
        onward.write_all(&head).await?;
    }
    tokio::io::copy_bidirectional(&mut stream, &mut onward).await.map(drop)
}

fn through(proxy: &str, policy: Policy, dns: &Server) -> Options {
    Options {
        policy,
        proxy: Some(proxy.parse().expect("a proxy")),
        lookup: dns.lookup(),
        ..Options::default()
    }
}

/// Nothing private is allowed: the proxy itself is, by being configured.
fn strict() -> Policy {
    Policy {
        allow_http: true,
        ..Policy::default()
    }
}

#[tokio::test]
async fn what_is_forbidden_here_is_refused_and_what_is_not_resolved_is_the_proxy_s_to_judge_invariant_4() {
    let receiver = Receiver::start(response("204 No Content", "", b""), Then::KeepAlive).await;
    let proxy = Proxy::to(receiver.address).await;
    let dns = Server::start([
        ("public.test", always(&["8.8.8.8"])),
        ("private.test", always(&["10.0.0.1"])),
        ("mixed.test", always(&["8.8.8.8", "10.0.0.1"])),
        ("silent.test", vec![None]),
    ])
    .await;
    let address = format!("http://{}", proxy.address);
    let client = Client::new(through(&address, strict(), &dns)).expect("it can be set up");
    for (host, kind) in [
        ("10.0.0.1", "address"),
        ("127.1", "address"),
        ("[::1]", "address"),
        ("169.254.169.254", "address"),
        ("localhost", "name"),
        ("private.test", "name"),
        ("mixed.test", "name"),
        ("user@public.test", "userinfo"),
    ] {
        for scheme in ["http", "https"] {
            let attempt = post_to(&client, &format!("{scheme}://{host}/"), TIMEOUT).await;
            let failure = attempt.outcome.expect_err(host);
            assert!(
                matches!(&failure, Failure::Denied(denied) if denied.kind() == kind),
                "{host}: {failure:?}"
            );
        }
    }
    assert!(
        proxy.heads.lock().is_empty(),
        "the proxy isn't asked for what is refused"
    );
    for url in [
        "http://public.test/a",
        "http://8.8.8.8/a",
        "http://known-to-the-proxy.test/a",
        "http://silent.test/a",
    ] {
        let answer = post_to(&client, url, TIMEOUT).await.outcome.expect(url);
        assert_eq!(answer.status.as_u16(), 204);
        let head = proxy.heads.lock().last().cloned().expect("the proxy was asked");
        assert!(head.starts_with(&format!("POST {url} HTTP/1.1\r\n")), "{head}");
    }
    let asked = dns.asked();
    post_to(&client, "http://public.test/b", TIMEOUT)
        .await
        .outcome
        .expect("again");
    assert_eq!(dns.asked(), asked, "a verdict is kept for a while");
}

#[tokio::test]
async fn tls_goes_through_a_tunnel_and_only_the_proxy_gets_the_credentials_invariant_5() {
    let url = tls::receiver(false).await;
    let place = url.trim_start_matches("https://").trim_end_matches('/').to_owned();
    let proxy = Proxy::to(place.parse().expect("an address")).await;
    let dns = Server::start([]).await;
    let options = Options {
        ca_file: tls::trusting().ca_file,
        ..through(&format!("http://us%40er:s3cret@{}", proxy.address), local(), &dns)
    };
    assert!(!format!("{options:?}").contains("s3cret"));
    let client = Client::new(options).expect("it can be set up");
    assert!(!format!("{client:?}").contains("s3cret"));
    let answer = post_to(&client, &url, TIMEOUT).await.outcome.expect("it is answered");
    assert_eq!(answer.status.as_u16(), 204);
    let head = proxy.heads.lock().remove(0);
    assert!(head.starts_with(&format!("CONNECT {place} HTTP/1.1\r\n")), "{head}");
    // us@er:s3cret
    let credentials = "proxy-authorization: basic dxnazxi6cznjcmv0\r\n";
    assert!(head.to_ascii_lowercase().contains(credentials), "{head}");

    let receiver = Receiver::start(response("200 OK", "", b""), Then::KeepAlive).await;
    let plain = Proxy::to(receiver.address).await;
    let options = through(&format!("http://us%40er:s3cret@{}", plain.address), local(), &dns);
    let client = Client::new(options).expect("it can be set up");
    post_to(&client, "http://8.8.8.8/", TIMEOUT)
        .await
        .outcome
        .expect("it is answered");
    let head = plain.heads.lock().remove(0).to_ascii_lowercase();
    assert!(head.contains(credentials), "{head}");
}

#[tokio::test]
async fn a_proxy_that_is_away_or_refuses_is_no_connection_and_nothing_goes_past_it_invariant_4() {
    let receiver = Receiver::start(response("200 OK", "", b""), Then::KeepAlive).await;
    let dns = Server::start([("proxy.test", always(&["127.0.0.1"]))]).await;
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let closed_port = closed.local_addr().expect("it is bound").port();
    drop(closed);
    let refusing = Receiver::start(response("403 Forbidden", "", b""), Then::KeepAlive).await;
    for port in [closed_port, refusing.address.port()] {
        let proxy = format!("http://user:s3cret@proxy.test:{port}");
        let client = Client::new(through(&proxy, local(), &dns)).expect("it can be set up");
        let attempt = post_to(&client, &format!("https://{}/", receiver.address), TIMEOUT).await;
        let failure = attempt.outcome.expect_err("no way through");
        assert!(
            matches!(&failure, Failure::Connect(message) if message.starts_with("through the proxy: ")),
            "{failure:?}"
        );
        assert!(!format!("{failure:?} {failure}").contains("s3cret"));
    }
    assert_eq!((receiver.connections(), refusing.requests().len()), (0, 1));
}

#[tokio::test]
async fn a_tunnel_that_never_opens_is_a_timeout() {
    let dns = Server::start([]).await;
    let trickle = Then::Trickle(std::time::Duration::from_millis(20));
    for (bytes, then) in [("", Then::Hang), ("HTTP/1.1 200 ", trickle)] {
        let stuck = Receiver::start(bytes, then).await;
        let options = Options {
            connect_timeout: std::time::Duration::from_millis(300),
            ..through(&format!("http://{}", stuck.address), strict(), &dns)
        };
        let client = Client::new(options).expect("it can be set up");
        let attempt = post_to(&client, "https://8.8.8.8/", TIMEOUT).await;
        assert!(attempt.duration < TIMEOUT / 2, "{:?}", attempt.duration);
        assert!(attempt.outcome.expect_err("no tunnel").is_timeout());
        stuck.is_left_alone().await;
    }
}
