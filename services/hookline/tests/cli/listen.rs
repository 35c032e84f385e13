//! `hookline listen` as a receiver: what it answers and what it shows.

use super::process::{Hookline, Running};
use serde_json::Value;
use signing::{SigningSecret, sign_v1};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

const BODY: &str = r#"{"id":"evt_1","type":"vault.ingest.completed"}"#;

/// Where it listens, as it says.
pub fn address(listening: &mut Running) -> String {
    let mut stderr = BufReader::new(listening.stderr());
    let mut line = String::new();
    stderr.read_line(&mut line).expect("it says something");
    let (_, rest) = line.split_once("http://").unwrap_or_else(|| panic!("{line}"));
    // What it says later must find a reader.
    std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
    rest.split(';').next().unwrap_or_default().to_owned()
}

fn post(address: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(
        stream,
        "POST /hooks HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{BODY}",
        BODY.len()
    )
    .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

fn signed(secret: &SigningSecret, prefix: &str) -> String {
    let now_s = runtime::clock::now_ms() / 1000;
    let signature = sign_v1("dlv_1", now_s, BODY.as_bytes(), &[secret]);
    format!("{prefix}id: dlv_1\r\n{prefix}timestamp: {now_s}\r\n{prefix}signature: {signature}\r\n")
}

#[test]
fn requests_are_verified_answered_and_shown() {
    let secret = SigningSecret::generate();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("secret");
    std::fs::write(&file, secret.expose()).expect("it can be written");
    let file = file.display().to_string();
    let mut child = Hookline::without_kafka().spawn(&[
        "listen",
        "--port",
        "0",
        "--count",
        "3",
        "--status",
        "204",
        "--output",
        "jsonl",
        "--secret-file",
        &file,
    ]);
    let address = address(&mut child);
    assert!(post(&address, &signed(&secret, "webhook-")).starts_with("HTTP/1.1 204"));
    assert!(post(&address, &signed(&secret, "case-webhook-")).starts_with("HTTP/1.1 204"));
    let refused = post(&address, &signed(&SigningSecret::generate(), "webhook-"));
    assert!(
        refused.starts_with("HTTP/1.1 401") && refused.contains("no v1 signature fits"),
        "{refused}"
    );

    let output = child.end();
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).expect("what it says is text");
    let shown: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    assert_eq!(shown.len(), 3, "{text}");
    assert_eq!(
        (&shown[0]["verified"], &shown[0]["status"]),
        (&true.into(), &204.into())
    );
    assert_eq!(shown[1]["headers"]["case-webhook-id"], "dlv_1");
    assert_eq!(shown[0]["body"]["id"], "evt_1");
    assert_eq!(
        (&shown[2]["verified"], &shown[2]["status"]),
        (&false.into(), &401.into())
    );
    assert!(!text.contains(&secret.expose()), "invariant 5");
}

#[test]
fn without_a_secret_everything_is_taken_and_shown_for_people() {
    let mut child = Hookline::without_kafka().spawn(&["listen", "--port", "0", "--count", "1"]);
    let address = address(&mut child);
    assert!(post(&address, "x-team: blue\r\n").starts_with("HTTP/1.1 200"));
    let output = child.end();
    let text = String::from_utf8(output.stdout).expect("what it says is text");
    assert!(
        text.contains("POST /hooks  200  not checked") && text.contains("x-team: blue") && text.contains(BODY),
        "{text}"
    );
}
