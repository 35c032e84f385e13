//! A client that sends what it is told, byte for byte, and reads one answer.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Longer than a clerk's takeover.
const PATIENCE: Duration = Duration::from_secs(60);

/// One API key at one address.
#[derive(Debug, Clone)]
pub struct Client {
    pub address: SocketAddr,
    pub key: String,
    /// Sent with every request.
    pub headers: Vec<(String, String)>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Client {
    pub fn new(address: SocketAddr, key: &str) -> Self {
        Self {
            address,
            key: key.to_owned(),
            headers: Vec::new(),
        }
    }

    /// With one more header.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// The same key at another replica.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            ..self.clone()
        }
    }

    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send("POST", path, Some(body.to_string())).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send("PATCH", path, Some(body.to_string())).await
    }

    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.send("DELETE", path, None).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<String>) -> Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: api\r\nconnection: close\r\n");
        head += &format!("authorization: Bearer {}\r\n", self.key);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(body) = &body {
            head += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        }
        let bytes = [head.as_bytes(), b"\r\n", body.unwrap_or_default().as_bytes()].concat();
        exchange(self.address, &bytes).await
    }
}

/// Sends bytes and reads until the other side closes.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> Result<Answer> {
    let talking = async {
        let mut stream = TcpStream::connect(address).await?;
        let (mut read, mut write) = stream.split();
        let mut bytes = Vec::new();
        // Whoever refuses a large body may close before it is all sent.
        let (sent, received) = tokio::join!(write.write_all(request), read.read_to_end(&mut bytes));
        if bytes.is_empty() {
            sent?;
            received?;
        }
        anyhow::Ok(bytes)
    };
    let bytes = tokio::time::timeout(PATIENCE, talking)
        .await
        .context("no answer in time")??;
    read(&bytes)
}

fn read(bytes: &[u8]) -> Result<Answer> {
    let text = String::from_utf8(bytes.to_vec()).context("an answer in UTF-8")?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        bail!("no whole answer: {text:?}");
    };
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .context("a status")?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    Ok(Answer {
        status: status.parse()?,
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: body.to_owned(),
    })
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The JSON of an answer with this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The error of an answer with this status and code; its first detail's path.
    #[track_caller]
    pub fn expect_error(&self, status: u16, code: &str) -> String {
        let json = self.expect(status);
        assert_eq!(json["error"]["code"], code, "{self:?}");
        assert!(
            json["error"]["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{self:?}"
        );
        json["error"]["details"][0]["path"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}
