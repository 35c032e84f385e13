//! The client: makes one POST per call and reports what came of it. It never follows a redirect, never retries, takes
//! no proxy from the environment and never reads more of an answer than its bounds.

use crate::failure::Failure;
use crate::policy::Policy;
use crate::resolver::PolicyResolver;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// Kept of a response: at most this many headers, each value cut to this many bytes.
const MAX_HEADERS: usize = 20;
const MAX_HEADER_BYTES: usize = 1024;

/// A body somewhat longer than what is kept is read on up to here, so that its connection can be used again.
const MAX_DRAINED_BYTES: usize = 64 * 1024;

const POOL_IDLE: Duration = Duration::from_secs(60);
const POOL_IDLE_PER_HOST: usize = 256;

/// How the client is set up.
#[derive(Debug, Clone)]
pub struct Options {
    pub policy: Policy,
    /// PEM bundle that is trusted instead of the platform's certificates.
    pub ca_file: Option<PathBuf>,
    /// PEM files for mTLS towards receivers; both or neither.
    pub client_cert_file: Option<PathBuf>,
    pub client_key_file: Option<PathBuf>,
    /// Bounds name resolution, connection and TLS handshake together.
    pub connect_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            ca_file: None,
            client_cert_file: None,
            client_key_file: None,
            connect_timeout: Duration::from_secs(10),
        }
    }
}

/// Why the client can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    #[error("{key}: can't read {}: {source}", path.display())]
    Read {
        key: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{key}: {} is not usable PEM: {message}", path.display())]
    Pem {
        key: &'static str,
        path: PathBuf,
        message: String,
    },
    #[error("egress.client_cert_file and egress.client_key_file belong together: set both or neither")]
    HalfIdentity,
    #[error("the TLS set-up failed: {0}; install the platform's CA certificates or set egress.ca_file")]
    Tls(String),
}

/// One POST.
#[derive(Debug, Clone)]
pub struct Request {
    pub url: Url,
    /// Exactly what is sent besides `host`, `content-length` and `accept`.
    pub headers: HeaderMap,
    pub body: Bytes,
    /// For the whole request, connection and response body included.
    pub timeout: Duration,
    /// How much of the response's body is kept, usually 4,096.
    pub max_response_bytes: usize,
}

/// What came of a request.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub outcome: Result<Response, Failure>,
    /// From the call to the end of reading.
    pub duration: Duration,
}

/// A response, within bounds. Its body may be incomplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: StatusCode,
    /// The first 20 names, values as text of at most 1,024 bytes; repeated ones joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// `Retry-After` as it came, also when it isn't among the kept headers.
    pub retry_after: Option<String>,
    /// The first bytes.
    pub body: Bytes,
}

/// Makes all delivery requests of a process. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    policy: Arc<Policy>,
}

impl Client {
    /// Sets up the one TLS configuration and connection pool.
    ///
    /// # Errors
    /// [`OptionsError`], with the setting's name.
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        let policy = Arc::new(options.policy.clone());
        let mut builder = reqwest::Client::builder()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(options.connect_timeout)
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
            .dns_resolver(Arc::new(PolicyResolver {
                policy: Arc::clone(&policy),
            }));
        if let Some(path) = &options.ca_file {
            builder = builder.tls_certs_only(authorities(path)?);
        }
        if let Some(identity) = identity(&options)? {
            builder = builder.identity(identity);
        }
        let http = builder.build().map_err(|error| OptionsError::Tls(innermost(&error)))?;
        Ok(Self { http, policy })
    }

    /// The policy that requests are judged by.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Makes the request, once. A status counts as soon as it is read, even if the body breaks off or doesn't end
    /// within the timeout. Dropping the future closes the connection; whether the receiver got the request is then
    /// unknown.
    pub async fn post(&self, request: Request) -> Attempt {
        let started = Instant::now();
        let outcome = self.exchange(request, started).await;
        Attempt {
            outcome,
            duration: started.elapsed(),
        }
    }

    async fn exchange(&self, request: Request, started: Instant) -> Result<Response, Failure> {
        self.policy.check(&request.url)?;
        let deadline = started + request.timeout;
        // Not by the builder: it would copy the headers one by one.
        let mut post = reqwest::Request::new(Method::POST, request.url);
        *post.headers_mut() = request.headers;
        *post.body_mut() = Some(request.body.into());
        let sent = self.http.execute(post);
        let response = match tokio::time::timeout_at(deadline, sent).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(Failure::of_request(&error)),
            Err(_) => {
                let message = format!("no answer within {} ms", request.timeout.as_millis());
                return Err(Failure::Timeout(message));
            }
        };
        let (status, headers) = (response.status(), kept_headers(response.headers()));
        let retry_after = response.headers().get(header::RETRY_AFTER).map(text);
        let body = read_body(response, request.max_response_bytes, deadline).await;
        Ok(Response {
            status,
            headers,
            retry_after,
            body,
        })
    }
}

/// The first bytes of the body; what can't be read by the deadline is left out.
async fn read_body(mut response: reqwest::Response, max_bytes: usize, deadline: Instant) -> Bytes {
    let mut kept = Vec::new();
    let mut read = 0_usize;
    // Ends on the end of the body, an error or the deadline.
    while let Ok(Ok(Some(chunk))) = tokio::time::timeout_at(deadline, response.chunk()).await {
        kept.extend_from_slice(&chunk[..chunk.len().min(max_bytes - kept.len())]);
        read += chunk.len();
        if read > max_bytes.max(MAX_DRAINED_BYTES) {
            break;
        }
    }
    kept.into()
}

fn kept_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers
        .keys()
        .take(MAX_HEADERS)
        .map(|name| {
            let values: Vec<String> = headers.get_all(name).iter().map(text).collect();
            (name.as_str().to_owned(), cut(values.join(", ")))
        })
        .collect()
}

fn text(value: &http::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_HEADER_BYTES {
        text.truncate(text.floor_char_boundary(MAX_HEADER_BYTES));
    }
    text
}

fn authorities(path: &Path) -> Result<Vec<reqwest::Certificate>, OptionsError> {
    const KEY: &str = "egress.ca_file";
    let refused = |message: String| OptionsError::Pem {
        key: KEY,
        path: path.to_owned(),
        message,
    };
    let pem = read(KEY, path)?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| refused(innermost(&error)))?;
    if certificates.is_empty() {
        Err(refused("it holds no certificate".to_owned()))
    } else {
        Ok(certificates)
    }
}

fn identity(options: &Options) -> Result<Option<reqwest::Identity>, OptionsError> {
    const KEY: &str = "egress.client_cert_file";
    let (certificate, key) = match (&options.client_cert_file, &options.client_key_file) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        _ => return Err(OptionsError::HalfIdentity),
    };
    let mut pem = read(KEY, certificate)?;
    pem.push(b'\n');
    pem.extend(read("egress.client_key_file", key)?);
    let identity = reqwest::Identity::from_pem(&pem).map_err(|error| OptionsError::Pem {
        key: KEY,
        path: certificate.clone(),
        message: innermost(&error),
    })?;
    Ok(Some(identity))
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, OptionsError> {
    std::fs::read(path).map_err(|source| OptionsError::Read {
        key,
        path: path.to_owned(),
        source,
    })
}

fn innermost(error: &reqwest::Error) -> String {
    let first: &dyn std::error::Error = error;
    std::iter::successors(Some(first), |error| (**error).source())
        .last()
        .map_or_else(String::new, ToString::to_string)
}
