//! The HTTP API as an outsider uses it: plain requests with a bearer key. It shares no code with the product.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use reqwest::header::{CONTENT_TYPE, ETAG, IF_MATCH, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// Longer than the API waits for a change to be decided.
const TIMEOUT: Duration = Duration::from_secs(60);
/// What the API asks to send again is, so many times.
const TRIES: usize = 5;

/// The API at one address, with one key.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    url: Arc<str>,
    key: Arc<str>,
}

/// What was answered.
pub struct Answer {
    pub status: StatusCode,
    /// For `If-Match`.
    pub etag: Option<String>,
    /// Null: there is none.
    pub body: Value,
}

/// What is sent.
struct Request<'a> {
    method: Method,
    path: &'a str,
    body: Option<(&'static str, String)>,
    if_match: Option<&'a str>,
}

impl Api {
    pub fn new(url: &str, key: &str) -> anyhow::Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder().timeout(TIMEOUT).build()?,
            url: url.into(),
            key: key.into(),
        })
    }

    /// The same address, with another key.
    pub fn with_key(&self, key: &str) -> Self {
        Self {
            key: key.into(),
            ..self.clone()
        }
    }

    /// The same key at another replica.
    pub fn at(&self, url: &str) -> Self {
        Self {
            url: url.into(),
            ..self.clone()
        }
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = Request::new(Method::GET, path, None);
        Ok(self.succeed(&request).await?.body)
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.succeed(&Request::new(Method::POST, path, Some(json(body)))).await
    }

    /// The answer whatever its status.
    pub async fn try_post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(&Request::new(Method::POST, path, Some(json(body)))).await
    }

    /// A body as it is, of this content type.
    pub async fn post_text(&self, path: &str, content_type: &'static str, body: String) -> anyhow::Result<Value> {
        let request = Request::new(Method::POST, path, Some((content_type, body)));
        Ok(self.succeed(&request).await?.body)
    }

    /// With `if_match` only the version that is meant is changed.
    pub async fn patch(&self, path: &str, body: &Value, if_match: Option<&str>) -> anyhow::Result<Value> {
        let request = Request {
            if_match,
            ..Request::new(Method::PATCH, path, Some(json(body)))
        };
        Ok(self.succeed(&request).await?.body)
    }

    async fn succeed(&self, request: &Request<'_>) -> anyhow::Result<Answer> {
        let answer = self.send(request).await?;
        ensure!(
            answer.status.is_success(),
            "{} {} was answered with {}: {}",
            request.method,
            request.path,
            answer.status,
            answer.body
        );
        Ok(answer)
    }

    /// Sends it again when the API says so, under the same `Idempotency-Key`: nothing is made twice.
    async fn send(&self, request: &Request<'_>) -> anyhow::Result<Answer> {
        let idempotency_key = uuid::Uuid::new_v4().to_string();
        for _ in 0..TRIES {
            let mut sent = self
                .http
                .request(request.method.clone(), format!("{}{}", self.url, request.path))
                .bearer_auth(&self.key);
            if request.method == Method::POST {
                sent = sent.header("idempotency-key", &idempotency_key);
            }
            if let Some(etag) = request.if_match {
                sent = sent.header(IF_MATCH, etag);
            }
            if let Some((content_type, body)) = &request.body {
                sent = sent.header(CONTENT_TYPE, *content_type).body(body.clone());
            }
            let answer = sent.send().await?;
            let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
            if matches!(answer.status().as_u16(), 429 | 503) {
                let sec = text(RETRY_AFTER).and_then(|sec| sec.parse().ok()).unwrap_or(1);
                tokio::time::sleep(Duration::from_secs(sec)).await;
                continue;
            }
            let (status, etag) = (answer.status(), text(ETAG).map(str::to_owned));
            let body = answer.bytes().await?;
            let body = match body.as_ref() {
                [] => Value::Null,
                body => serde_json::from_slice(body).context("the API answered something that isn't JSON")?,
            };
            return Ok(Answer { status, etag, body });
        }
        bail!(
            "{} {} was turned away {TRIES} times for the moment",
            request.method,
            request.path
        )
    }
}

impl<'a> Request<'a> {
    fn new(method: Method, path: &'a str, body: Option<(&'static str, String)>) -> Self {
        Self {
            method,
            path,
            body,
            if_match: None,
        }
    }
}

fn json(body: &Value) -> (&'static str, String) {
    ("application/json", body.to_string())
}

/// A text of an answer, by JSON Pointer.
pub fn text(body: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = body.pointer(pointer).and_then(Value::as_str);
    Ok(found
        .with_context(|| format!("the API's answer has no {pointer}"))?
        .to_owned())
}
