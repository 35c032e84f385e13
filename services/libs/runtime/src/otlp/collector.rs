//! The collector: one connection for all signals, who this process is, the standard variables' headers, and what is
//! done when it doesn't take something. Server's words are never logged: they may quote a header.

use super::signal::Signal;
use opentelemetry::{Key, KeyValue};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tonic::metadata::{MetadataKey, MetadataMap};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long a collector may take to accept a batch, tries included.
const EXPORT_WITHIN: Duration = Duration::from_secs(10);
/// Before the second try; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const INSTANCE: &str = "service.instance.id";
const ALL_HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
#[error(
    "otel.endpoint can't be used: {0}; it must be http://host:port or https://host:port of an OTLP (gRPC) receiver"
)]
pub struct InvalidCollector(String);

/// Why something wasn't exported.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("the collector doesn't answer")]
    Silent,
    #[error("gRPC code {code:?}{because}")]
    Refused { code: Code, because: String },
}

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        let mut because = String::new();
        // There is a source only for what went wrong on this side: no connection, no such name.
        let mut source = std::error::Error::source(&status);
        while let Some(error) = source {
            because.push_str(": ");
            because.push_str(&error.to_string());
            source = error.source();
        }
        let code = status.code();
        Self::Refused { code, because }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Collector {
    channel: Channel,
    resource: Arc<ResourceAttributesWithSchema>,
    /// When it is cancelled, nothing is tried again.
    stop: CancellationToken,
}

impl Collector {
    pub(super) fn new(endpoint: &str, version: &str, stop: CancellationToken) -> Result<Self, InvalidCollector> {
        Ok(Self {
            channel: channel(endpoint, version)?,
            resource: Arc::new((&resource(version)).into()),
            stop,
        })
    }

    pub(super) fn resource(&self) -> &ResourceAttributesWithSchema {
        &self.resource
    }

    /// Sends one message; what may be mended by trying again is tried again, for a while.
    pub(super) async fn send<M, A>(
        &self,
        signal: &Signal,
        message: M,
        call: impl AsyncFn(Channel, Request<M>) -> Result<Response<A>, Status>,
    ) -> Result<A, Failed>
    where
        M: Clone,
    {
        let headers = headers(signal);
        let mut failed = Failed::Silent;
        let trying = async {
            let mut pause = FIRST_PAUSE;
            loop {
                let mut request = Request::new(message.clone());
                *request.metadata_mut() = headers.clone();
                let status = match call(self.channel.clone(), request).await {
                    Ok(answer) => return Some(answer.into_inner()),
                    Err(status) => status,
                };
                let is_final = !is_transient(status.code());
                failed = status.into();
                if is_final || self.stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                    return None;
                }
                pause *= 2;
            }
        };
        let answer = tokio::time::timeout(EXPORT_WITHIN, trying).await.ok().flatten();
        answer.ok_or(failed)
    }
}

/// As the OTLP specification has it ("OTLP/gRPC Response").
fn is_transient(code: Code) -> bool {
    matches!(
        code,
        Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// Connects when there is something to send, and again whenever it has to.
fn channel(endpoint: &str, version: &str) -> Result<Channel, InvalidCollector> {
    let invalid = |error: &dyn std::fmt::Display| InvalidCollector(error.to_string());
    let mut target = Endpoint::from_shared(endpoint.to_owned())
        .and_then(|target| target.user_agent(format!("hookline/{version}")))
        .map_err(|error| invalid(&error))?
        .connect_timeout(CONNECT_WITHIN);
    target = match target.uri().scheme_str() {
        Some("https") => target
            .tls_config(ClientTlsConfig::new().with_enabled_roots())
            .map_err(|error| invalid(&error))?,
        Some("http") => target,
        _ => return Err(invalid(&"it has no scheme")),
    };
    Ok(target.connect_lazy())
}

/// Who sends. Every process has an instance of its own: the series of two with the same resource would be taken for one.
fn resource(version: &str) -> Resource {
    let said = Resource::builder().build();
    let mut resource = Resource::builder().with_attribute(KeyValue::new("service.version", version.to_owned()));
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("hookline");
    }
    if said.get(&Key::from_static_str(INSTANCE)).is_none() {
        resource = resource.with_attribute(KeyValue::new(INSTANCE, Uuid::new_v4().to_string()));
    }
    resource.build()
}

fn headers(signal: &Signal) -> MetadataMap {
    let listed = std::env::var(signal.headers).or_else(|_| std::env::var(ALL_HEADERS));
    parse_headers(&listed.unwrap_or_default())
}

/// `name=value,…`, values percent-encoded; what can't be a header is left out.
fn parse_headers(listed: &str) -> MetadataMap {
    let mut headers = MetadataMap::new();
    for pair in listed.split(',') {
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        let name = name.trim().to_ascii_lowercase().parse::<MetadataKey<_>>().ok();
        let value = decode(value.trim()).and_then(|value| value.parse().ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
    headers
}

fn decode(value: &str) -> Option<String> {
    let mut parts = value.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (code, rest) = (part.get(..2)?, part.get(2..)?);
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cant_be_a_collector_is_refused_and_says_what_to_do() {
        for wrong in ["collector:4317", "ftp://collector", "http://", "/"] {
            let error = channel(wrong, "1").expect_err(wrong);
            assert!(error.to_string().contains("otel.endpoint"), "{error}");
        }
        for right in ["http://127.0.0.1:4317", "https://collector.example:4317"] {
            channel(right, "1").unwrap_or_else(|error| panic!("{right}: {error}"));
        }
    }

    #[test]
    fn headers_are_read_as_the_standard_variable_has_them() {
        let headers = parse_headers("authorization=Bearer%20a%3Db, X-Scope = t1 ,junk,bad=%zz,=x,two words=1");
        let mut found: Vec<_> = headers
            .clone()
            .into_headers()
            .iter()
            .map(|(k, v)| format!("{k}: {v:?}"))
            .collect();
        found.sort();
        assert_eq!(found, ["authorization: \"Bearer a=b\"", "x-scope: \"t1\""]);
    }

    #[test]
    fn what_a_server_says_is_not_repeated() {
        let failed = Failed::from(Status::unauthenticated("token abc is wrong"));
        assert_eq!(failed.to_string(), "gRPC code Unauthenticated");
    }
}
