//! Spans from the producer to the receiver, exported by OTLP when there is a collector. Without one, and in traces that
//! aren't sampled, no span is made: whoever asks for one gets `None`, and hands the `traceparent` on as it came.

mod context;

use context::Parent;
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState, Tracer as _,
};
use opentelemetry::{Context, ContextGuard, KeyValue, Value, trace::TraceContextExt as _};
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};
use std::borrow::Cow;
use std::sync::OnceLock;

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// From now on spans are made.
pub(crate) fn begin_recording(tracer: SdkTracer) {
    // A second call changes nothing: its exporter gets no spans.
    let _ = TRACER.set(tracer);
}

/// A span under way; it ends when it is dropped. Nothing secret belongs into it: no URL but its host, no header, no body.
#[derive(Debug)]
pub struct Span(SdkSpan);

/// The span of processing a message that came with this `traceparent`; without one, or with an invalid one, a trace
/// begins. None: nobody collects, or the trace isn't sampled.
#[must_use]
pub fn consumer(name: impl FnOnce() -> Cow<'static, str>, traceparent: Option<&str>) -> Option<Span> {
    begin(SpanKind::Consumer, name, traceparent.and_then(Parent::parse), None)
}

/// The span of answering an HTTP request that came with this `traceparent`; without one, or with an invalid one, a trace
/// begins. None: nobody collects, or the trace isn't sampled.
#[must_use]
pub fn server(name: impl FnOnce() -> Cow<'static, str>, traceparent: Option<&str>) -> Option<Span> {
    begin(SpanKind::Server, name, traceparent.and_then(Parent::parse), None)
}

/// The span of a request that a message with this `traceparent` asks for, linked to the span (its id) of the request
/// before. None: nobody collects, or the trace isn't sampled.
#[must_use]
pub fn client(name: &'static str, traceparent: Option<&str>, previous: Option<&str>) -> Option<Span> {
    // Whoever made the message has begun a trace: without one, none is to be.
    TRACER.get()?;
    let parent = traceparent.and_then(Parent::parse)?;
    begin(SpanKind::Client, || Cow::Borrowed(name), Some(parent), previous)
}

fn begin(
    kind: SpanKind,
    name: impl FnOnce() -> Cow<'static, str>,
    parent: Option<Parent>,
    previous: Option<&str>,
) -> Option<Span> {
    let tracer = TRACER.get()?;
    if parent.is_some_and(|parent| !parent.is_sampled()) {
        return None;
    }
    let context = parent.map_or_else(Context::new, |parent| {
        Context::new().with_remote_span_context(parent.span_context())
    });
    let mut builder = tracer.span_builder(name()).with_kind(kind);
    let linked = parent
        .zip(previous)
        .and_then(|(parent, id)| Some((parent, SpanId::from_hex(id).ok()?)));
    if let Some((parent, id)) = linked {
        let previous = SpanContext::new(parent.trace_id, id, TraceFlags::SAMPLED, true, TraceState::default());
        builder = builder.with_links(vec![Link::new(previous, Vec::new(), 0)]);
    }
    let span = tracer.build_with_context(builder, &context);
    span.span_context().is_sampled().then_some(Span(span))
}

/// While it lives, what this thread logs belongs to a span.
#[derive(Debug)]
#[must_use]
pub struct Within(#[expect(dead_code, reason = "dropping it is what it is for")] ContextGuard);

/// What is logged from here on belongs to the span of this id, also when it has ended, in the trace that the
/// `traceparent` names. None: nobody collects, or there was no span.
pub fn within(traceparent: Option<&str>, span_id: Option<&str>) -> Option<Within> {
    TRACER.get()?;
    let id = SpanId::from_hex(span_id?).ok()?;
    let parent = traceparent.and_then(Parent::parse)?;
    let context = SpanContext::new(parent.trace_id, id, TraceFlags::SAMPLED, true, TraceState::default());
    Some(Within(Context::new().with_remote_span_context(context).attach()))
}

/// The span that what this thread logs belongs to.
pub(crate) fn current() -> Option<SpanContext> {
    Context::map_current(|context| context.has_active_span().then(|| context.span().span_context().clone()))
}

impl Span {
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.0.set_attribute(KeyValue::new(key, value));
    }

    /// It failed, and how: a word of few, such as a status code or `timeout`.
    pub fn fail(&mut self, error_type: impl Into<Value>) {
        self.set("error.type", error_type);
        self.0.set_status(Status::error(""));
    }

    /// The `traceparent` of what it causes.
    #[must_use]
    pub fn traceparent(&self) -> String {
        context::traceparent(self.0.span_context())
    }

    /// 16 hex digits.
    #[must_use]
    pub fn id(&self) -> String {
        self.0.span_context().span_id().to_string()
    }
}
