//! What a trace says of an event: from its judgement to the commit behind everything that follows from it. Never what is
//! in it.

use crate::judge::Verdict;
use runtime::trace::{self, Span};
use schemas::Source;

/// Begins the span, in the trace that the record's `traceparent` names, and puts what it causes below it. None: nobody
/// collects, or the trace isn't sampled.
pub(crate) fn begin(verdict: &mut Verdict) -> Option<Span> {
    match verdict {
        Verdict::Matched(matched) => {
            let event = &mut matched.event;
            let mut span = consumer(&event.source, event.traceparent.as_deref())?;
            span.set("messaging.message.id", event.id.clone());
            span.set("hookline.tenant", event.tenant.clone());
            span.set("hookline.event.type", event.event_type.clone());
            let deliveries = i64::try_from(matched.targets.len()).unwrap_or(i64::MAX);
            span.set("hookline.deliveries", deliveries);
            event.traceparent = Some(span.traceparent());
            Some(span)
        }
        Verdict::Rejected(rejection) => {
            let rejected = &rejection.rejected;
            let traceparent = rejected.headers.get("traceparent").map(String::as_str);
            let mut span = consumer(&rejected.origin, traceparent)?;
            span.fail(rejection.reason);
            Some(span)
        }
    }
}

fn consumer(source: &Source, traceparent: Option<&str>) -> Option<Span> {
    let mut span = trace::consumer(|| format!("process {}", source.topic).into(), traceparent)?;
    span.set("messaging.system", "kafka");
    span.set("messaging.operation.name", "process");
    span.set("messaging.operation.type", "process");
    span.set("messaging.destination.name", source.topic.clone());
    span.set("messaging.destination.partition.id", source.partition.to_string());
    span.set("messaging.kafka.offset", source.offset);
    Some(span)
}
