//! One request as it is to be sent, and the answer to it.

use crate::Error;
use bytes::Bytes;
use reqwest::{
    Method,
    header::{HeaderMap, HeaderValue},
};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use url::Url;

pub(crate) const JSON: &str = "application/json";
pub(crate) const JSON_LINES: &str = "application/x-ndjson";

/// Longer than the API waits for a clerk, and than any test request lasts.
const TIMEOUT: Duration = Duration::from_secs(90);

/// A request. `Clone` is cheap: the body is shared.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Option<(&'static str, Bytes)>,
    /// Sent with every try, so that a repeat is recognised.
    pub(crate) idempotency_key: Option<String>,
    pub(crate) timeout: Duration,
}

impl Call {
    /// `segments` are encoded: an id can't change the route.
    pub(crate) fn new(method: Method, base: &Url, segments: &[&str]) -> Result<Self, Error> {
        if let Some(id) = segments.iter().find(|segment| matches!(**segment, "" | "." | "..")) {
            return Err(Error::Id((*id).to_owned()));
        }
        let mut url = base.clone();
        url.path_segments_mut()
            .map_err(|()| Error::Settings(format!("{base} is no address of an API")))?
            .pop_if_empty()
            .extend(segments);
        let idempotency_key = (method == Method::POST).then(|| uuid::Uuid::new_v4().to_string());
        Ok(Self {
            method,
            url,
            body: None,
            idempotency_key,
            timeout: TIMEOUT,
        })
    }

    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(body).expect("maps with text keys, texts and finite numbers are JSON");
        self.body = Some((JSON, bytes.into()));
        self
    }

    pub(crate) fn lines(mut self, body: Bytes) -> Self {
        self.body = Some((JSON_LINES, body));
        self
    }

    pub(crate) fn with_key(mut self, idempotency_key: &str) -> Self {
        self.idempotency_key = Some(idempotency_key.to_owned());
        self
    }

    pub(crate) fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    }

    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| self.foreign(error.to_string()))
    }

    pub(crate) fn foreign(&self, reason: impl Into<String>) -> Error {
        Error::Foreign {
            url: self.url.to_string(),
            status: self.status,
            reason: reason.into(),
        }
    }
}
