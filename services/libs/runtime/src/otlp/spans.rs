//! Spans that have ended, on their way to the collector.

use super::collector::{Collector, Failed};
use super::queue::{Queue, queue};
use super::signal::SPANS;
use opentelemetry::Context;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanProcessor};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// From now on [`crate::trace`] makes spans.
pub(super) fn start(collector: Collector, stop: CancellationToken) -> JoinHandle<()> {
    let (ended, waiting) = queue(&SPANS);
    let provider = SdkTracerProvider::builder().with_span_processor(Ended(ended)).build();
    crate::trace::begin_recording(provider.tracer("hookline"));
    let send = move |batch| {
        let collector = collector.clone();
        async move { send(&collector, batch).await }
    };
    tokio::spawn(waiting.export(send, stop))
}

async fn send(collector: &Collector, batch: Vec<SpanData>) -> Result<u64, Failed> {
    let resource_spans = group_spans_by_resource_and_scope(batch, collector.resource());
    let answer = collector
        .send(
            &SPANS,
            ExportTraceServiceRequest { resource_spans },
            async |channel, request| TraceServiceClient::new(channel).export(request).await,
        )
        .await?;
    let refused = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
    Ok(refused.try_into().unwrap_or(0))
}

#[derive(Debug)]
struct Ended(Queue<SpanData>);

impl SpanProcessor for Ended {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.put(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}
