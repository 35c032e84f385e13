//! The client against real connections on loopback: what a receiver may do, and what may never happen.

mod dns;
mod guard;
mod misbehaviour;
mod proxy;
mod receiver;
mod tls;

use bytes::Bytes;
use egress::{Attempt, Client, Failure, HeaderMap, Options, Policy, Request};
use receiver::{Receiver, Then, response};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

fn local() -> Policy {
    Policy {
        allow_networks: vec!["127.0.0.0/8".parse().expect("a network")],
        allow_http: true,
    }
}

fn client(policy: Policy) -> Client {
    let options = Options {
        policy,
        connect_timeout: Duration::from_millis(300),
        ..Options::default()
    };
    Client::new(options).expect("the client can be set up")
}

fn request(client: &Client, url: &str, timeout: Duration) -> Request {
    Request {
        destination: client.destination(url),
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{\"a\":1}"),
        timeout,
        max_response_bytes: 4096,
    }
}

async fn post(client: &Client, address: SocketAddr, timeout: Duration) -> Attempt {
    post_to(client, &format!("http://{address}/hook"), timeout).await
}

async fn post_to(client: &Client, url: &str, timeout: Duration) -> Attempt {
    client.post(request(client, url, timeout)).await
}

#[tokio::test]
async fn sends_exactly_what_it_was_given() {
    let receiver = Receiver::start(response("200 OK", "", b"fine"), Then::KeepAlive).await;
    let client = client(local());
    let url = format!("http://{}/hook?x=1", receiver.address);
    let mut sent = request(&client, &url, TIMEOUT);
    sent.headers
        .insert("content-type", "application/json".parse().expect("a value"));
    sent.headers.insert("webhook-id", "dlv_1".parse().expect("a value"));
    let response = client.post(sent).await.outcome.expect("it is answered");
    assert_eq!((response.status.as_u16(), &response.body[..]), (200, &b"fine"[..]));
    assert_eq!(response.headers["content-length"], "4");
    let seen = receiver.requests().remove(0);
    assert!(seen.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{seen}");
    for part in [
        "content-type: application/json\r\n",
        "webhook-id: dlv_1\r\n",
        "content-length: 7\r\n",
        "\r\n\r\n{\"a\":1}",
    ] {
        assert!(seen.contains(part), "{part} in {seen}");
    }
}

#[tokio::test]
async fn a_connection_is_used_again_also_after_a_body_that_is_longer_than_kept() {
    let receiver = Receiver::start(response("500 Broken", "", &[b'x'; 20_000]), Then::KeepAlive).await;
    let client = client(local());
    for _ in 0..3 {
        let response = post(&client, receiver.address, TIMEOUT)
            .await
            .outcome
            .expect("it is answered");
        assert_eq!((response.status.as_u16(), response.body.len()), (500, 4096));
    }
    assert_eq!((receiver.requests().len(), receiver.connections()), (3, 1));
}

#[tokio::test]
async fn what_is_not_listening_is_no_connection() {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    drop(listener);
    let failure = post(&client(local()), address, TIMEOUT)
        .await
        .outcome
        .expect_err("nobody listens");
    assert!(
        matches!(&failure, Failure::Connect(message) if message.contains("refused")),
        "{failure:?}"
    );
}

#[tokio::test]
async fn an_answer_that_is_not_http_or_none_is_a_broken_connection() {
    for bytes in [&b"SSH-2.0-OpenSSH_9.2\r\n"[..], b"", b"HTTP/1.1 200 OK\r\nx-half"] {
        let receiver = Receiver::start(bytes, Then::Close).await;
        let failure = post(&client(local()), receiver.address, TIMEOUT)
            .await
            .outcome
            .expect_err("no HTTP");
        assert!(matches!(failure, Failure::Io(_)), "{failure:?}");
        assert_eq!(receiver.requests().len(), 1, "a request is made once");
    }
}

#[tokio::test]
async fn plain_text_where_tls_is_expected_is_a_tls_failure_and_never_shows_the_url_invariant_5() {
    let receiver = Receiver::start(b"HTTP/1.1 400 Bad Request\r\n\r\n", Then::Close).await;
    let url = format!("https://{}/hook?token=s3cret", receiver.address);
    let failure = post_to(&client(local()), &url, TIMEOUT)
        .await
        .outcome
        .expect_err("no TLS");
    assert!(matches!(failure, Failure::Tls(_)), "{failure:?}");
    assert!(!failure.to_string().contains("s3cret"));
}

#[tokio::test]
async fn a_private_address_is_denied_by_literal_and_by_name_invariant_4() {
    let receiver = Receiver::start(response("200 OK", "", b""), Then::KeepAlive).await;
    let port = receiver.address.port();
    let strict = client(Policy {
        allow_http: true,
        ..Policy::default()
    });
    for host in ["127.0.0.1", "127.1", "2130706433", "[::ffff:127.0.0.1]", "localhost"] {
        let url = format!("http://{host}:{port}/");
        let failure = post_to(&strict, &url, TIMEOUT).await.outcome.expect_err(host);
        assert!(matches!(failure, Failure::Denied(_)), "{host}: {failure:?}");
        let names_what_was_given = host != "localhost" || !failure.message().contains("127.0.0.1");
        assert!(names_what_was_given, "{failure}");
    }
    assert_eq!(receiver.connections(), 0);
    // Both of them: a name with one forbidden address is refused.
    let mut both = local();
    both.allow_networks.push("::1/128".parse().expect("a network"));
    let allowed = post_to(&client(both), &format!("http://localhost:{port}/"), TIMEOUT).await;
    assert_eq!(allowed.outcome.expect("its network is allowed").status.as_u16(), 200);
}

#[tokio::test]
async fn plain_http_is_denied_unless_allowed() {
    let receiver = Receiver::start(response("200 OK", "", b""), Then::KeepAlive).await;
    let strict = client(Policy {
        allow_http: false,
        ..local()
    });
    let failure = post(&strict, receiver.address, TIMEOUT)
        .await
        .outcome
        .expect_err("plain http");
    assert!(matches!(failure, Failure::Denied(_)), "{failure:?}");
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_name_without_address_is_not_resolved() {
    let failure = post_to(&client(local()), "http://nowhere.invalid/", TIMEOUT)
        .await
        .outcome
        .expect_err("no such name");
    assert!(
        matches!(&failure, Failure::Resolve(message) if message.len() <= 256),
        "{failure:?}"
    );
}

#[tokio::test]
async fn headers_are_kept_within_bounds_and_retry_after_always() {
    let mut headers: String = (0..40)
        .map(|number| format!("x-{number}: {}\r\n", "é".repeat(600)))
        .collect();
    headers.push_str("x-0: again\r\nretry-after: 120\r\n");
    let receiver = Receiver::start(response("429 Too Many Requests", &headers, b""), Then::KeepAlive).await;
    let response = post(&client(local()), receiver.address, TIMEOUT)
        .await
        .outcome
        .expect("it is answered");
    assert_eq!(
        (response.status.as_u16(), response.retry_after.as_deref()),
        (429, Some("120"))
    );
    assert_eq!(response.headers.len(), 20);
    assert!(response.headers.values().all(|value| value.len() <= 1024));
}

/// Not a test of its own: what the one below runs in a process with a proxy in its environment.
#[tokio::test]
#[ignore = "it is the child of the test below"]
async fn child_behind_a_proxy_variable() {
    let url = std::env::var("TEST_URL").expect("the parent sets it");
    let attempt = post_to(&client(local()), &url, TIMEOUT).await;
    assert_eq!(attempt.outcome.expect("it is answered").status.as_u16(), 204);
}

#[tokio::test]
async fn proxy_variables_are_not_obeyed_invariant_4() {
    let target = Receiver::start("HTTP/1.1 204 No Content\r\n\r\n", Then::KeepAlive).await;
    let proxy = Receiver::start(response("200 OK", "", b""), Then::KeepAlive).await;
    let mut child = tokio::process::Command::new(std::env::current_exe().expect("a test knows its binary"));
    child.args(["--exact", "child_behind_a_proxy_variable", "--ignored"]);
    child.env("TEST_URL", format!("http://{}/", target.address));
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        child.env(name, format!("http://{}", proxy.address));
    }
    let output = child.output().await.expect("the test binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!((target.requests().len(), proxy.connections()), (1, 0));
}
