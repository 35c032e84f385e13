//! The client itself: whom it speaks to and as whom, and the loop that sends a request until it is answered.

use crate::{
    Error, Patience, Refusal,
    call::{Answer, Call},
    patience::retry_after,
};
use reqwest::{
    Method,
    header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION},
    redirect,
};
use std::time::{Duration, SystemTime};
use url::Url;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TENANT: HeaderName = HeaderName::from_static("hookline-tenant");
const REQUEST_ID: &str = "x-request-id";

/// Where the API is, and who asks.
pub struct Settings<'a> {
    /// Such as `https://hooks.example.com`; a path before the API's own is kept.
    pub url: &'a str,
    /// None: only [`Client::probe`] is of use.
    pub key: Option<&'a str>,
    /// With the operator's key: the tenant to act for.
    pub tenant: Option<&'a str>,
    pub patience: Patience,
}

/// Speaks to one API. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    headers: HeaderMap,
    patience: Patience,
}

impl Client {
    /// # Errors
    /// [`Error::Settings`]
    pub fn new(settings: &Settings<'_>) -> Result<Self, Error> {
        let wrong = |what: String| Error::Settings(what);
        let base = Url::parse(settings.url).map_err(|error| wrong(format!("HOOKLINE_URL is no URL: {error}")))?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(wrong("HOOKLINE_URL must begin with https:// or http://".to_owned()));
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = settings.key {
            let mut value: HeaderValue = format!("Bearer {key}")
                .parse()
                .map_err(|_| wrong("HOOKLINE_API_KEY holds what no key has: a line break, perhaps".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(tenant) = settings.tenant {
            let value = tenant.parse().map_err(|_| Error::Id(tenant.to_owned()))?;
            headers.insert(TENANT, value);
        }
        let http = reqwest::Client::builder()
            .user_agent(concat!("hookline-cli/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // A redirect would take the key elsewhere.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| wrong(format!("TLS can't be set up: {}", reason(&error))))?;
        Ok(Self {
            http,
            base,
            headers,
            patience: settings.patience,
        })
    }

    /// Where the API is.
    pub fn url(&self) -> &str {
        self.base.as_str()
    }

    pub(crate) fn call(&self, method: Method, segments: &[&str]) -> Result<Call, Error> {
        Call::new(method, &self.base, segments)
    }

    /// Asks for something small, once: its status, what it says when it is a refusal, and the API's clock.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    pub async fn probe(&self) -> Result<Probe, Error> {
        let call = self.call(Method::GET, &["webhooks", "v1", "endpoints"])?;
        let call = call.query("limit", "1").within(PROBE_TIMEOUT);
        let answer = self.once(&call).await?;
        let date = answer.header(DATE.as_str());
        let is_list = || {
            let body: Result<serde_json::Value, _> = answer.read();
            body.is_ok_and(|body| body.get("endpoints").is_some())
        };
        Ok(Probe {
            status: answer.status,
            clock: date.and_then(|text| httpdate::parse_http_date(text).ok()),
            let_in: answer.status == 200 && is_list(),
            refusal: refusal(&answer).ok(),
        })
    }

    /// Sends it until it is answered, within this client's patience. An answer that is no success is an error.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, Error> {
        let mut made = 0;
        loop {
            made += 1;
            let outcome = self.once(call).await;
            let wanted = match &outcome {
                Ok(answer) if matches!(answer.status, 429 | 503) => retry_after(&answer.headers, SystemTime::now()),
                Err(Error::Unreachable { .. }) => None,
                // A repeated removal finds nothing: the first one was carried out, though nobody heard of it.
                Ok(answer) if made > 1 && call.method == Method::DELETE && answer.status == 404 => return outcome,
                Ok(_) | Err(_) => return outcome.and_then(conclude),
            };
            match self.patience.pause(made, wanted) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return outcome.and_then(conclude),
            }
        }
    }

    /// The request of a call; its answer's body may be of any size.
    pub(crate) async fn start(&self, call: &Call) -> Result<reqwest::Response, Error> {
        let mut request = self
            .http
            .request(call.method.clone(), call.url.clone())
            .headers(self.headers.clone())
            .timeout(call.timeout);
        if let Some((content_type, body)) = &call.body {
            request = request.header(CONTENT_TYPE, *content_type).body(body.clone());
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        request.send().await.map_err(|error| self.unreachable(&error))
    }

    pub(crate) async fn once(&self, call: &Call) -> Result<Answer, Error> {
        let response = self.start(call).await?;
        self.whole(call, response).await
    }

    /// The whole answer.
    pub(crate) async fn whole(&self, call: &Call, mut response: reqwest::Response) -> Result<Answer, Error> {
        let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
        let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        Ok(Answer {
            url: call.url.clone(),
            status,
            headers,
            body,
        })
    }

    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> Error {
        Error::Unreachable {
            url: self.base.to_string(),
            reason: reason(error),
        }
    }
}

/// What a look at the API found.
#[derive(Debug, Clone)]
pub struct Probe {
    pub status: u16,
    /// Of its answer; whole seconds.
    pub clock: Option<SystemTime>,
    /// It answered as the API does.
    pub let_in: bool,
    /// None: it was let in, or what answered isn't the API.
    pub refusal: Option<Refusal>,
}

fn conclude(answer: Answer) -> Result<Answer, Error> {
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    Err(refused(&answer))
}

/// The error that an answer is.
pub(crate) fn refused(answer: &Answer) -> Error {
    refusal(answer).map_or_else(|error| error, |refusal| Error::Refused(Box::new(refusal)))
}

fn refusal(answer: &Answer) -> Result<Refusal, Error> {
    if let Some(location) = answer.header(LOCATION.as_str())
        && (300..400).contains(&answer.status)
    {
        return Err(answer.foreign(format!("a redirect to {location}")));
    }
    let request_id = answer.header(REQUEST_ID).map(str::to_owned);
    Refusal::read(answer.status, &answer.body, request_id).map_err(|_| answer.foreign("no JSON error"))
}

/// The innermost reason: the outer ones say only that a request failed.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
