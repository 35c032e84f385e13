//! A collector as OpenTelemetry has them: a gRPC server of OTLP's three services that remembers what it is sent. Tests
//! ask it what came; it expects nothing itself.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// Listens until it is dropped.
pub struct Collector {
    address: SocketAddr,
    received: Received,
    _serving: AbortOnDropHandle<()>,
}

#[derive(Clone, Default)]
struct Received(Arc<Mutex<Requests>>);

/// In the order in which they came.
#[derive(Debug, Default)]
struct Requests {
    traces: Vec<ExportTraceServiceRequest>,
    metrics: Vec<ExportMetricsServiceRequest>,
    logs: Vec<ExportLogsServiceRequest>,
}

impl Received {
    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector {
    /// On a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When it can't listen.
    pub async fn start() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())?;
        let address = incoming.local_addr()?;
        let received = Received::default();
        let services = Server::builder()
            .add_service(TraceServiceServer::new(received.clone()))
            .add_service(MetricsServiceServer::new(received.clone()))
            .add_service(LogsServiceServer::new(received.clone()));
        let serving = tokio::spawn(async move {
            // It ends with the test.
            let _ = services.serve_with_incoming(incoming).await;
        });
        Ok(Self {
            address,
            received,
            _serving: AbortOnDropHandle::new(serving),
        })
    }

    /// What `otel.endpoint` is to be.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        let requests = self.received.lock();
        let resources = requests.traces.iter().flat_map(|request| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.iter().cloned()).collect()
    }

    /// All log records so far, each with what said it: its scope's name.
    #[must_use]
    pub fn log_records(&self) -> Vec<(String, LogRecord)> {
        let requests = self.received.lock();
        let resources = requests.logs.iter().flat_map(|request| &request.resource_logs);
        let scopes = resources.flat_map(|resource| &resource.scope_logs);
        let named = scopes.flat_map(|scope| {
            let name = scope.scope.as_ref().map_or("", |scope| scope.name.as_str());
            scope.log_records.iter().map(|record| (name.to_owned(), record.clone()))
        });
        named.collect()
    }

    /// The exports of metrics so far: what each held.
    #[must_use]
    pub fn metrics(&self) -> Vec<Vec<Metric>> {
        let requests = self.received.lock();
        let held = |request: &ExportMetricsServiceRequest| {
            let scopes = request
                .resource_metrics
                .iter()
                .flat_map(|resource| &resource.scope_metrics);
            scopes.flat_map(|scope| scope.metrics.iter().cloned()).collect()
        };
        requests.metrics.iter().map(held).collect()
    }

    /// Who sent: the resource's attributes of every request of any kind.
    #[must_use]
    pub fn senders(&self) -> Vec<Vec<KeyValue>> {
        let requests = self.received.lock();
        let traces = requests
            .traces
            .iter()
            .flat_map(|r| &r.resource_spans)
            .map(|r| &r.resource);
        let metrics = requests
            .metrics
            .iter()
            .flat_map(|r| &r.resource_metrics)
            .map(|r| &r.resource);
        let logs = requests.logs.iter().flat_map(|r| &r.resource_logs).map(|r| &r.resource);
        let all = traces.chain(metrics).chain(logs).flatten();
        all.map(|resource| resource.attributes.clone()).collect()
    }

    /// Every trace request that came, as text.
    #[must_use]
    pub fn traces_as_text(&self) -> String {
        format!("{:?}", self.received.lock().traces)
    }

    /// Everything that came, with resources, as text.
    #[must_use]
    pub fn dump(&self) -> String {
        format!("{:?}", self.received.lock())
    }
}

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.lock().traces.push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Received {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.lock().metrics.push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Received {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.lock().logs.push(request.into_inner());
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

/// An attribute's value, as text.
#[must_use]
pub fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

/// As a `traceparent` has it.
#[must_use]
pub fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
