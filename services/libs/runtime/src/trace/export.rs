//! Exporting what has ended: a bounded queue, a task that sends batches, and counts of what was exported, dropped or
//! failed. A collector that is slow or gone costs spans, never deliveries.

use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

/// Most spans that wait for export: about 1 kB each.
const QUEUE_SPANS: usize = 4_096;
const BATCH_SPANS: usize = 512;
/// How long a span waits for others.
const LINGER: Duration = Duration::from_millis(500);
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long a collector may take to accept a batch, tries included.
const EXPORT_WITHIN: Duration = Duration::from_secs(10);
/// How long the end of the process may take for it.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
#[error(
    "otel.endpoint can't be used: {0}; it must be http://host:port or https://host:port of an OTLP (gRPC) receiver"
)]
pub struct InvalidCollector(String);

/// Exporting under way. End it with [`Exporting::finish`].
#[derive(Debug)]
pub struct Exporting {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Exporting {
    /// Sends what has ended so far, for at most 5 s.
    pub async fn finish(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(FINISH_WITHIN, &mut self.task).await.is_err() {
            self.task.abort();
            tracing::warn!("the collector didn't take the last spans in time; they are dropped");
        }
    }
}

pub(super) fn start(endpoint: &str, version: &str) -> Result<(SdkTracerProvider, Exporting), InvalidCollector> {
    let mut exporter = OtlpExporter::builder()
        .with_tonic()
        .with_channel(channel(endpoint)?)
        .with_timeout(EXPORT_WITHIN)
        .build()
        .map_err(|error| InvalidCollector(error.to_string()))?;
    let resource = resource(version);
    exporter.set_resource(&resource);
    let (sender, spans) = mpsc::channel(QUEUE_SPANS);
    let stop = CancellationToken::new();
    let task = tokio::spawn(export(exporter, spans, stop.clone()));
    let provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_span_processor(Queue(sender))
        .build();
    Ok((provider, Exporting { stop, task }))
}

/// Connects when there is something to send, and again whenever it has to.
fn channel(endpoint: &str) -> Result<Channel, InvalidCollector> {
    let invalid = |error: &dyn std::fmt::Display| InvalidCollector(error.to_string());
    let mut target = Endpoint::from_shared(endpoint.to_owned())
        .map_err(|error| invalid(&error))?
        .connect_timeout(CONNECT_WITHIN)
        .timeout(EXPORT_WITHIN);
    target = match target.uri().scheme_str() {
        Some("https") => target
            .tls_config(ClientTlsConfig::new().with_enabled_roots())
            .map_err(|error| invalid(&error))?,
        Some("http") => target,
        _ => return Err(invalid(&"it has no scheme")),
    };
    Ok(target.connect_lazy())
}

fn resource(version: &str) -> Resource {
    let mut resource = Resource::builder().with_attribute(KeyValue::new("service.version", version.to_owned()));
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("hookline");
    }
    resource.build()
}

/// Takes what has ended, if there is room.
#[derive(Debug)]
struct Queue(mpsc::Sender<SpanData>);

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.0.try_send(span).is_err() {
            count("dropped", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Sends batches until it is stopped; then what is there.
async fn export<E: SpanExporter>(exporter: E, mut spans: mpsc::Receiver<SpanData>, stop: CancellationToken) {
    let mut is_failing = false;
    loop {
        let mut batch = Vec::new();
        if stop
            .run_until_cancelled(spans.recv_many(&mut batch, BATCH_SPANS))
            .await
            .is_none()
        {
            spans.close();
        }
        let filling =
            async { while batch.len() < BATCH_SPANS && spans.recv_many(&mut batch, BATCH_SPANS).await > 0 {} };
        // What is there is taken at once; for more it waits a moment, unless it is over.
        let _ = tokio::time::timeout(LINGER, stop.run_until_cancelled(filling)).await;
        while batch.len() < BATCH_SPANS
            && let Ok(span) = spans.try_recv()
        {
            batch.push(span);
        }
        if batch.is_empty() {
            if stop.is_cancelled() {
                return;
            }
            continue;
        }
        let count_of = batch.len() as u64;
        match exporter.export(batch).await {
            Ok(()) => {
                count("exported", count_of);
                if std::mem::take(&mut is_failing) {
                    tracing::info!("the collector takes spans again");
                }
            }
            Err(error) => {
                count("failed", count_of);
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(%error, "spans can't be exported; they are dropped until the collector takes them");
                }
            }
        }
    }
}

fn count(result: &'static str, spans: u64) {
    metrics::counter!("hookline_otel_spans_total", "result" => result).increment(spans);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cant_be_a_collector_is_refused_and_says_what_to_do() {
        for wrong in ["collector:4317", "ftp://collector", "http://", "/"] {
            let error = channel(wrong).expect_err(wrong);
            assert!(error.to_string().contains("otel.endpoint"), "{error}");
        }
        for right in ["http://127.0.0.1:4317", "https://collector.example:4317"] {
            channel(right).unwrap_or_else(|error| panic!("{right}: {error}"));
        }
    }
}
