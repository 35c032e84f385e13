//! What a trace says of an attempt. Never the URL's path or query, a header or a body: they may hold secrets.

use crate::context::Context;
use egress::{Destination, Failure, Response};
use runtime::trace::{self, Span};
use schemas::Delivery;

/// The span of the delivery's next attempt, in the trace of its event and linked to the attempt before. None: nobody
/// collects, or the trace isn't sampled.
pub(crate) fn begin(ctx: &Context, destination: &Destination, delivery: &Delivery, dedicated: bool) -> Option<Span> {
    let previous = delivery.attempts.last().and_then(|attempt| attempt.span_id.as_deref());
    let mut span = trace::client("POST", delivery.traceparent.as_deref(), previous)?;
    let names = &ctx.names;
    let template = match (dedicated, delivery.cause.as_str()) {
        (true, _) => format!("{}{{endpoint}}.{{number}}", names.endpoint_prefix()),
        (false, "event") => names.lanes(),
        (false, _) => names.returns(),
    };
    span.set("messaging.system", "kafka");
    span.set("messaging.destination.template", template);
    span.set("messaging.message.id", delivery.event_id.clone());
    span.set("hookline.delivery", delivery.delivery_id.clone());
    span.set("hookline.endpoint", delivery.endpoint_id.clone());
    span.set("hookline.tenant", delivery.tenant.clone());
    span.set("hookline.attempt", i64::from(delivery.attempts_made) + 1);
    span.set("http.request.method", "POST");
    if delivery.attempts_made > 0 {
        span.set("http.request.resend_count", i64::from(delivery.attempts_made));
    }
    if let Ok(url) = destination.url() {
        span.set("server.address", url.host_str().unwrap_or_default().to_owned());
        span.set(
            "server.port",
            i64::from(url.port_or_known_default().unwrap_or_default()),
        );
    }
    Some(span)
}

/// Ends it with what the request came to.
pub(crate) fn end(mut span: Span, outcome: &Result<Response, Failure>) {
    match outcome {
        Ok(response) => {
            span.set("http.response.status_code", i64::from(response.status.as_u16()));
            if !response.status.is_success() {
                span.fail(response.status.as_u16().to_string());
            }
        }
        Err(failure) if failure.is_timeout() => span.fail("timeout"),
        Err(Failure::Unmade(_)) => span.fail("not_made"),
        Err(_) => span.fail("network"),
    }
}
