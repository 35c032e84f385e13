//! One attempt: the signed request, and writing down what it came to.

use crate::{
    context::Context,
    readers::Class,
    shard::{Event, Said, Waiting},
    span,
    target::Target,
};
use bytes::Bytes;
use delivery_core::{
    health::Answer,
    outcome::{AttemptOutcome, FollowUp, Reason, Situation, Verdict, classify, follow_up},
    recent::settled_key,
    retry_after,
};
use delivery_request::{About, MAX_RESPONSE_BYTES};
use egress::{Failure, Request, Response, StatusCode};
use http::HeaderMap;
use kafka_log::Outgoing;
use rand::Rng;
use runtime::{
    clock::now_ms,
    trace::{self, Span},
};
use schemas::{AttemptLogged, AttemptResult, AttemptSummary, Delivery};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// A request to make, with all that it holds.
pub(crate) struct Job {
    pub(crate) ctx: Arc<Context>,
    pub(crate) target: Arc<Target>,
    pub(crate) waiting: Waiting,
    /// It is made although the circuit is open.
    pub(crate) is_probe: bool,
    pub(crate) permit: OwnedSemaphorePermit,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) given_up: Arc<AtomicBool>,
}

/// What the request came to.
struct Made {
    started_at_ms: i64,
    duration: Duration,
    outcome: Result<Response, Failure>,
    span_id: Option<String>,
}

impl Made {
    fn verdict(&self, target: &Target) -> Verdict {
        let outcome = match &self.outcome {
            Ok(response) => AttemptOutcome::Status(response.status.as_u16()),
            Err(failure) if failure.is_timeout() => AttemptOutcome::Timeout,
            Err(_) => AttemptOutcome::NetworkError,
        };
        classify(target.dialect, outcome)
    }

    /// What it says of the endpoint.
    fn answer(&self, target: &Target) -> Answer {
        match self.verdict(target) {
            Verdict::Delivered => Answer::Success,
            Verdict::Fail => Answer::Refused,
            Verdict::Retry => Answer::Failed,
        }
    }

    /// A 410 of an endpoint that is disabled for that.
    fn says_gone(&self, target: &Target) -> bool {
        target.disable_on_gone && self.outcome.as_ref().is_ok_and(|r| r.status == StatusCode::GONE)
    }
}

impl Job {
    pub(crate) async fn run(self) {
        let Job {
            ctx,
            target,
            waiting,
            is_probe,
            permit,
            events,
            given_up,
        } = self;
        let Waiting {
            delivery,
            slot,
            share,
            credit,
            class,
            ..
        } = waiting;
        let span = span::begin(&ctx, &target.destination, &delivery, class == Class::Dedicated);
        let made = make(&ctx, &target, &delivery, span).await;
        runtime::crash_point("dispatcher.after_response");
        // The shard may have ended: the next owner does it over.
        let _ = events
            .send(Event::Responded(Said {
                endpoint: target.id.clone(),
                version: target.version,
                answer: made.answer(&target),
                was_probe: is_probe,
                gone: made.says_gone(&target),
                took: made.duration,
            }))
            .await;
        let generation_key = settled_key(&delivery.delivery_id, delivery.generation);
        let (mut records, follow_up) = what_follows(&ctx, &target, delivery, made);
        if given_up.load(Ordering::Relaxed) {
            // Somebody else does it over: only the log learns what happened here.
            records.truncate(1);
        }
        if ctx.write_until_done(&records, &given_up).await {
            runtime::crash_point("dispatcher.after_settled");
            drop((share, credit));
            let ended = (!matches!(follow_up, FollowUp::RetryAt { .. })).then_some(generation_key);
            let _ = events
                .send(Event::Settled {
                    slot,
                    permit: Some(permit),
                    ended,
                })
                .await;
        }
    }
}

/// Makes the request. One that must not be made (unsigned, or to where the egress policy forbids) is a failed attempt.
async fn make(ctx: &Context, target: &Target, delivery: &Delivery, span: Option<Span>) -> Made {
    let started_at_ms = now_ms();
    let Some(headers) = headers(target, delivery, span.as_ref(), started_at_ms) else {
        return Made {
            started_at_ms,
            duration: Duration::ZERO,
            outcome: Err(Failure::Unmade("the signing secret can't be used".into())),
            span_id: None,
        };
    };
    runtime::crash_point("dispatcher.before_request");
    let request = Request {
        destination: target.destination.clone(),
        headers,
        body: Bytes::copy_from_slice(&delivery.body),
        timeout: target.timeout,
        max_response_bytes: MAX_RESPONSE_BYTES,
    };
    let mut attempt = ctx.client.post(request).await;
    if let Ok(response) = &mut attempt.outcome {
        target.head.mask(response);
    }
    let span_id = span.as_ref().map(Span::id);
    if let Some(span) = span {
        span::end(span, &attempt.outcome);
    }
    Made {
        started_at_ms,
        duration: attempt.duration,
        outcome: attempt.outcome,
        span_id,
    }
}

/// None without a usable secret.
fn headers(target: &Target, delivery: &Delivery, span: Option<&Span>, now_ms: i64) -> Option<HeaderMap> {
    let of_span = span.map(Span::traceparent);
    target.head.headers(About {
        delivery_id: &delivery.delivery_id,
        event_id: &delivery.event_id,
        body: &delivery.body,
        content_type: &delivery.content_type,
        attempt: delivery.attempts_made + 1,
        is_replay: delivery.generation > 0,
        traceparent: of_span.as_deref().or(delivery.traceparent.as_deref()),
        now_ms,
    })
}

/// The records that an attempt comes to: the log record first, then a retry or dead letter.
fn what_follows(ctx: &Context, target: &Target, mut delivery: Delivery, made: Made) -> (Vec<Outgoing>, FollowUp) {
    // What is logged here is said of the attempt.
    let _within = trace::within(delivery.traceparent.as_deref(), made.span_id.as_deref());
    let now = now_ms();
    let asked = made.outcome.as_ref().ok().and_then(|r| r.retry_after.as_deref());
    let situation = Situation {
        now_ms: now,
        schedule_sec: &target.retry_schedule_sec,
        schedule_index: usize::try_from(delivery.schedule_index).unwrap_or(0),
        jitter: rand::rng().random_range(-1.0..=1.0),
        retry_after_ms: asked.and_then(|value| retry_after::parse(value, now)),
        age_from_ms: delivery.matched_at_ms,
        max_age_ms: ctx.max_age_ms(),
    };
    let follow_up = if made.says_gone(target) {
        FollowUp::Dead { reason: Reason::Gone }
    } else {
        follow_up(made.verdict(target), &situation)
    };
    count(&delivery, &made, &follow_up, now);
    let logged = logged(&delivery, &made, &follow_up);
    remember(&mut delivery, &made, logged.error.clone());
    let mut records = vec![ctx.logged(&delivery, now, |record| record.attempt = Some(logged))];
    match follow_up {
        FollowUp::Delivered => {}
        FollowUp::RetryAt { due_at_ms } => {
            delivery.cause = "retry".into();
            delivery.schedule_index += 1;
            records.push(ctx.waiting(delivery, due_at_ms, now));
        }
        FollowUp::Dead { reason } => records.push(ctx.dead_letter(&delivery, reason, now)),
    }
    (records, follow_up)
}

fn logged(delivery: &Delivery, made: &Made, follow_up: &FollowUp) -> AttemptLogged {
    let response = made.outcome.as_ref().ok();
    let trigger = match (delivery.schedule_index, delivery.generation) {
        (0, 0) => "event",
        (0, _) => "replay",
        _ => "retry",
    };
    let (result, next_attempt_at_ms, reason) = match follow_up {
        FollowUp::Delivered => (AttemptResult::Delivered, None, None),
        FollowUp::RetryAt { due_at_ms } => (AttemptResult::Retry, Some(*due_at_ms), None),
        FollowUp::Dead { reason } => (AttemptResult::Dead, None, Some(reason.as_str().to_owned())),
    };
    AttemptLogged {
        delivery_id: delivery.delivery_id.clone(),
        endpoint_id: delivery.endpoint_id.clone(),
        generation: delivery.generation,
        number: delivery.attempts_made + 1,
        trigger: trigger.to_owned(),
        started_at_ms: made.started_at_ms,
        duration_ms: millis(made.duration),
        status_code: response.map(|r| i32::from(r.status.as_u16())),
        error: delivery_request::words(&made.outcome),
        response_headers: response.map(|r| r.headers.clone()).unwrap_or_default(),
        response_body: response.map(|r| r.body.to_vec()).unwrap_or_default(),
        result,
        next_attempt_at_ms,
        reason,
    }
}

/// Adds the attempt to those that travel with the delivery.
fn remember(delivery: &mut Delivery, made: &Made, error: Option<String>) {
    delivery.attempts_made += 1;
    delivery.attempts.push(AttemptSummary {
        number: delivery.attempts_made,
        started_at_ms: made.started_at_ms,
        duration_ms: millis(made.duration),
        status_code: made.outcome.as_ref().ok().map(|r| i32::from(r.status.as_u16())),
        error,
        span_id: made.span_id.clone(),
    });
    let too_many = delivery.attempts.len().saturating_sub(AttemptSummary::KEPT);
    delivery.attempts.drain(..too_many);
}

fn count(delivery: &Delivery, made: &Made, follow_up: &FollowUp, now_ms: i64) {
    tracing::debug!(
        event = delivery.event_id,
        delivery = delivery.delivery_id,
        endpoint = delivery.endpoint_id,
        attempt = delivery.attempts_made + 1,
        status = made.outcome.as_ref().ok().map(|response| response.status.as_u16()),
        took_ms = millis(made.duration),
        ?follow_up,
        "attempt made"
    );
    let (outcome, reason) = match follow_up {
        FollowUp::Delivered => ("delivered", ""),
        FollowUp::RetryAt { .. } => ("retry", ""),
        FollowUp::Dead {
            reason: Reason::RetriesExhausted,
        } => ("dead", "retries_exhausted"),
        FollowUp::Dead { reason } => ("dead", reason.as_str()),
    };
    metrics::counter!("hookline_deliveries_total", "outcome" => outcome, "reason" => reason).increment(1);
    metrics::histogram!("hookline_attempt_seconds").record(made.duration.as_secs_f64());
    match follow_up {
        FollowUp::Delivered => {
            // A replay is as old as its command: the event may be of last year.
            let since_ms = if delivery.generation > 0 {
                delivery.matched_at_ms
            } else {
                delivery.event_time_ms
            };
            let age_ms = now_ms.saturating_sub(since_ms).max(0);
            metrics::histogram!("hookline_delivery_age_seconds").record(age_ms as f64 / 1000.0);
        }
        FollowUp::RetryAt { .. } => metrics::counter!("hookline_retries_scheduled_total").increment(1),
        FollowUp::Dead { .. } => metrics::counter!("hookline_dead_letters_total", "reason" => reason).increment(1),
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
