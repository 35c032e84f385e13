//! The client: makes one POST per call and reports what came of it. It never follows a redirect, never retries, takes
//! no proxy from the environment and never reads more of an answer than its bounds.

use crate::denied::{Denied, Rule};
use crate::destination::Destination;
use crate::failure::{Failure, refused};
use crate::lookup::SharedLookups;
use crate::options::{Options, OptionsError, authorities, identity, innermost};
use crate::policy::Policy;
use crate::proxy::Gate;
use crate::resolver::{Names, Resolver};
use crate::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const POOL_IDLE: Duration = Duration::from_secs(60);
const POOL_IDLE_PER_HOST: usize = 256;

/// One POST.
#[derive(Debug, Clone)]
pub struct Request {
    pub destination: Destination,
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

/// Makes all delivery requests of a process. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    policy: Arc<Policy>,
    /// With a proxy.
    gate: Option<Gate>,
}

impl Client {
    /// Sets up the one TLS configuration and connection pool.
    ///
    /// # Errors
    /// [`OptionsError`], with the setting's name.
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        let policy = Arc::new(options.policy.clone());
        let names = match &options.proxy {
            None => Names::Allowed(Arc::clone(&policy)),
            Some(proxy) => Names::Proxy(proxy.host().to_owned()),
        };
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
            .dns_resolver(Arc::new(Resolver {
                lookups: SharedLookups::new(Arc::clone(&options.lookup), Duration::ZERO),
                names,
            }));
        if let Some(path) = &options.ca_file {
            builder = builder.tls_certs_only(authorities(path)?);
        }
        if let Some(identity) = identity(&options)? {
            builder = builder.identity(identity);
        }
        if let Some(proxy) = &options.proxy {
            let through = reqwest::Proxy::all(proxy.url().clone());
            builder = builder.proxy(through.map_err(|_| OptionsError::Proxy)?);
        }
        Ok(Self {
            http: builder.build().map_err(|error| OptionsError::Tls(innermost(&error)))?,
            policy,
            gate: options.proxy.is_some().then(|| Gate::new(options.lookup)),
        })
    }

    /// Reads and judges a URL, once for all requests to it.
    #[must_use]
    pub fn destination(&self, url: &str) -> Destination {
        Destination::new(&self.policy, url)
    }

    /// The policy that requests are judged by.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Makes the request, once. A status counts as soon as it is read, even if the body breaks off or doesn't end
    /// within the timeout. Dropping the future closes the connection; whether the receiver got the request is then
    /// unknown. What the policy forbids is counted as `hookline_egress_denied_total`.
    pub async fn post(&self, request: Request) -> Attempt {
        let started = Instant::now();
        let outcome = self.exchange(request, started).await;
        Attempt {
            outcome,
            duration: started.elapsed(),
        }
    }

    async fn exchange(&self, request: Request, started: Instant) -> Result<Response, Failure> {
        let url = request.destination.url_by(&self.policy).map_err(refused)?;
        let deadline = started + request.timeout;
        if let Some(gate) = &self.gate {
            Box::pin(gate.check(&self.policy, &url, deadline))
                .await
                .map_err(refused)?;
        }
        // Not by the builder: it would copy the headers one by one.
        let mut post = reqwest::Request::new(Method::POST, url);
        *post.headers_mut() = request.headers;
        *post.body_mut() = Some(request.body.into());
        let sent = self.http.execute(post);
        let response = match tokio::time::timeout_at(deadline, sent).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.failure(&error)),
            Err(_) => {
                let message = format!("no answer within {} ms", request.timeout.as_millis());
                return Err(Failure::Timeout(message));
            }
        };
        self.check_peer(&response)?;
        Ok(Response::read(response, request.max_response_bytes, deadline).await)
    }

    /// What answers was judged before it was connected to. Should that ever be circumvented, the tenant at least
    /// learns nothing from the answer, and the operator of the fact.
    fn check_peer(&self, response: &reqwest::Response) -> Result<(), Failure> {
        match response.remote_addr() {
            Some(peer) if self.gate.is_none() && !self.policy.allows(peer.ip()) => {
                let reason = "the connection went to an address that is neither public nor allowed here";
                Err(refused(Denied::new(Rule::Address, reason)))
            }
            _ => Ok(()),
        }
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        match Failure::of_request(error) {
            Failure::Connect(message) if self.gate.is_some() => {
                Failure::Connect(format!("through the proxy: {message}"))
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    /// A client whose connector was circumvented.
    #[tokio::test]
    async fn an_answer_from_an_address_that_was_not_judged_is_not_handed_on_invariant_4() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept()?;
            stream.read_exact(&mut [0])?;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret")
        });
        let policy = Policy {
            allow_http: true,
            ..Policy::default()
        };
        let client = Client {
            http: reqwest::Client::builder()
                .resolve("receiver.test", address)
                .build()
                .expect("it can be set up"),
            ..Client::new(Options {
                policy,
                ..Options::default()
            })
            .expect("it can be set up")
        };
        let request = Request {
            destination: client.destination(&format!("http://receiver.test:{}/", address.port())),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: Duration::from_secs(10),
            max_response_bytes: 4096,
        };
        let failure = client.post(request).await.outcome.expect_err("it is forbidden");
        assert!(
            matches!(&failure, Failure::Denied(denied) if denied.kind() == "address"),
            "{failure:?}"
        );
        answering.join().expect("it ends").expect("it answered");
    }
}
