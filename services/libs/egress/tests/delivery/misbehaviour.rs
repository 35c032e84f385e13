//! Receivers that misbehave: whatever one does, a request ends within its time, reads no more than its bounds, and
//! lets go of the connection.

use crate::receiver::{Receiver, Then, response};
use crate::{TIMEOUT, client, local, post, post_to};
use egress::{Attempt, Failure};
use std::net::Ipv4Addr;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(300);

/// Whether it ended by itself, and not by the request's time.
fn is_early(attempt: &Attempt) -> bool {
    attempt.duration < TIMEOUT / 2
}

/// Whether it ended by the request's time.
fn is_in_time(attempt: &Attempt) -> bool {
    attempt.duration >= SHORT && attempt.duration < SHORT + Duration::from_secs(2)
}

/// What lies in buffers when the client stops reading.
const BUFFERED_BYTES: usize = 16 * 1024 * 1024;

#[tokio::test]
async fn an_answer_of_100_mb_is_cut_and_not_read() {
    let chunk = [&b"10000\r\n"[..], &[b'x'; 0x1_0000], b"\r\n"].concat();
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        // Until the connection ends.
        "HTTP/1.1 200 OK\r\n\r\n",
    ] {
        let receiver = Receiver::start(head, Then::Repeat(chunk.clone())).await;
        let attempt = post(&client(local()), receiver.address, TIMEOUT).await;
        assert!(is_early(&attempt), "{:?}", attempt.duration);
        assert_eq!(attempt.outcome.expect("it is answered").body.len(), 4096);
        receiver.is_left_alone().await;
        assert!(receiver.written() < BUFFERED_BYTES, "{}", receiver.written());
    }
}

#[tokio::test]
async fn a_body_that_trickles_costs_the_time_of_the_request_and_its_status_counts() {
    let head = "HTTP/1.1 201 Created\r\ncontent-length: 1000\r\n\r\n";
    let receiver = Receiver::start(head, Then::Trickle(Duration::from_millis(50))).await;
    let attempt = post(&client(local()), receiver.address, SHORT).await;
    assert!(is_in_time(&attempt), "{:?}", attempt.duration);
    assert_eq!(attempt.outcome.expect("the status was read").status.as_u16(), 201);
    receiver.is_left_alone().await;
}

#[tokio::test]
async fn a_head_that_trickles_or_never_comes_is_a_timeout() {
    for (bytes, then) in [
        ("HTTP/1.1 200 OK\r\nx-slow:", Then::Trickle(Duration::from_millis(50))),
        ("HTTP/1.1 200 OK\r\n", Then::Hang),
        ("", Then::Hang),
    ] {
        let receiver = Receiver::start(bytes, then).await;
        let attempt = post(&client(local()), receiver.address, SHORT).await;
        assert!(is_in_time(&attempt), "{:?}", attempt.duration);
        assert!(attempt.outcome.expect_err("no head was read").is_timeout());
        receiver.is_left_alone().await;
    }
}

#[tokio::test]
async fn headers_of_megabytes_break_the_connection_off() {
    let header = format!("x-a: {}\r\n", "a".repeat(8000)).into_bytes();
    let many = "x-b: b\r\n".repeat(1000).into_bytes();
    for (bytes, more) in [
        ("HTTP/1.1 200 OK\r\n", header),
        ("HTTP/1.1 200 OK\r\n", many),
        ("HTTP/1.1 200 OK\r\nx-endless: ", vec![b'a'; 65536]),
        ("HTTP/1.1 200 ", vec![b'a'; 65536]),
    ] {
        let receiver = Receiver::start(bytes, Then::Repeat(more)).await;
        let attempt = post(&client(local()), receiver.address, TIMEOUT).await;
        assert!(is_early(&attempt), "{:?}", attempt.duration);
        let failure = attempt.outcome.expect_err("no end of headers");
        assert!(matches!(failure, Failure::Io(_)), "{failure:?}");
        receiver.is_left_alone().await;
        assert!(receiver.written() < BUFFERED_BYTES, "{}", receiver.written());
    }
}

#[tokio::test]
async fn interim_answers_without_end_are_a_timeout() {
    for interim in [
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        let receiver = Receiver::start("", Then::Repeat(interim.as_bytes().to_vec())).await;
        let attempt = post(&client(local()), receiver.address, SHORT).await;
        assert!(is_in_time(&attempt), "{:?}", attempt.duration);
        assert!(attempt.outcome.expect_err("no answer").is_timeout());
        receiver.is_left_alone().await;
    }
}

#[tokio::test]
async fn a_redirect_loop_is_one_request_invariant_4() {
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let receiver = Receiver::start(response(status, "location: /hook\r\n", b""), Then::KeepAlive).await;
        let attempt = post(&client(local()), receiver.address, TIMEOUT).await;
        let answer = attempt.outcome.expect("it is answered");
        assert!(status.starts_with(answer.status.as_str()));
        assert_eq!(answer.headers["location"], "/hook");
        assert_eq!(receiver.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_status_fails_and_after_it_does_not() {
    for then in [Then::Reset, Then::Close] {
        let receiver = Receiver::start("HTTP/1.1 200 OK\r\nx-half", then.clone()).await;
        let attempt = post(&client(local()), receiver.address, TIMEOUT).await;
        let failure = attempt.outcome.expect_err("half a head");
        assert!(matches!(failure, Failure::Io(_)), "{failure:?}");
        assert_eq!(receiver.requests().len(), 1, "a request is made once");
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
    let receiver = Receiver::start(head, Then::Close).await;
    let attempt = post(&client(local()), receiver.address, TIMEOUT).await;
    let answer = attempt.outcome.expect("the status was read");
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"half"[..]));
    // A reset may come before what was sent is read: then there is no status. Never does it take its time.
    let receiver = Receiver::start(head, Then::Reset).await;
    let attempt = post(&client(local()), receiver.address, TIMEOUT).await;
    assert!(is_early(&attempt), "{:?}", attempt.duration);
    match attempt.outcome {
        Ok(answer) => assert_eq!(answer.status.as_u16(), 200),
        Err(failure) => assert!(matches!(failure, Failure::Io(_)), "{failure:?}"),
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_a_timeout() {
    // Nothing; and a record of 16 KB that comes a byte at a time.
    for (bytes, then) in [
        (&b""[..], Then::Hang),
        (&[0x16, 3, 3, 0x40, 0][..], Then::Trickle(Duration::from_millis(20))),
    ] {
        let receiver = Receiver::start(bytes, then).await;
        let url = format!("https://{}/", receiver.address);
        // By the client's bound on connecting, and by the request's own time if that is shorter.
        for (time, message) in [
            (TIMEOUT, "connecting took too long"),
            (Duration::from_millis(100), "no answer within 100 ms"),
        ] {
            let attempt = post_to(&client(local()), &url, time).await;
            assert!(is_early(&attempt), "{:?}", attempt.duration);
            assert_eq!(
                attempt.outcome.expect_err("no TLS"),
                Failure::Timeout(message.to_owned())
            );
            receiver.is_left_alone().await;
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_never_made_is_a_timeout() {
    // A queue of one that is full: the system drops what comes.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let listener = socket.listen(0).expect("it listens");
    let address = listener.local_addr().expect("a bound socket has an address");
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address)).await
    {
        queued.push(stream);
        assert!(queued.len() < 100, "the queue never fills");
    }
    let attempt = post(&client(local()), address, TIMEOUT).await;
    assert!(is_early(&attempt), "{:?}", attempt.duration);
    let failure = attempt.outcome.expect_err("nobody accepts");
    assert_eq!(failure, Failure::Timeout("connecting took too long".to_owned()));
}
