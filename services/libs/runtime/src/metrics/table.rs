//! Every metric that Hookline has: name, kind, unit, labels with their values, and what it says. A metric that isn't here
//! fails a test, and so does a label that could take any value: no tenant, endpoint or event is ever one.

mod history;

use super::shape::{LabelOf, Metric, Unit, among, counter, gauge, like, seconds};

/// From a fast local receiver to the longest request timeout.
pub(crate) const REQUEST_SEC: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];
/// From at once to `delivery.max_age_sec`.
const AGE_SEC: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 28_800.0, 86_400.0,
    259_200.0,
];
const LATE_SEC: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1_800.0];

const REASON: LabelOf = among(
    "reason",
    &[
        "rejected_by_receiver",
        "retries_exhausted",
        "expired",
        "endpoint_disabled",
        "endpoint_deleted",
        "gone",
    ],
);
const WHY_BLOCKED: &[&str] = &[
    "unknown_schema",
    "missing_topic",
    "not_allowed",
    "too_large",
    "refused",
    "ledger",
];

const ANY: &str = "any";
const API: &str = "api";
const FANOUT: &str = "fanout";
const DISPATCHER: &str = "dispatcher";
const SCHEDULER: &str = "scheduler";

/// All of them, by role and name.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    METRICS.iter().chain(history::METRICS)
}

const METRICS: &[Metric] = &[
    counter(
        ANY,
        "hookline_blocked_total",
        &[among("why", WHY_BLOCKED)],
        "Times that something could not go on until somebody mends it; it is tried again for ever. See OPERATIONS.md.",
    ),
    gauge(
        ANY,
        "hookline_ledger_blocked",
        Unit::Count,
        &[],
        "1 while this process's view of the configuration stands still at a record that it can't read.",
    ),
    gauge(
        ANY,
        "hookline_ledger_position",
        Unit::Count,
        &[],
        "Offset in the ledger up to which this process knows the configuration.",
    ),
    counter(
        ANY,
        "hookline_lost_records_total",
        &[among(
            "topic_class",
            &[
                "source",
                "ingest",
                "lanes",
                "dedicated",
                "returns",
                "retry",
                "dlq",
                "log",
                "ledger",
                "ledger.requests",
                "ledger.outcomes",
            ],
        )],
        "Records that were deleted before they were read, at most (transaction markers count too). Never 0 to be ignored.",
    ),
    gauge(
        ANY,
        "hookline_oldest_waiting_seconds",
        Unit::Seconds,
        &[among(
            "topic_class",
            &["source", "lanes", "dedicated", "returns", "retry", "log"],
        )],
        "Age of the oldest record that is not done, of those that this process owns; 0 when none waits. Counted from when \
         the record was written to its topic, in class retry from when its wait began.",
    ),
    counter(
        ANY,
        "hookline_otel_log_records_total",
        &[among("result", &["exported", "dropped", "failed"])],
        "Log records for the collector: exported; dropped because too many were waiting; failed because the collector did \
         not take them.",
    ),
    counter(
        ANY,
        "hookline_otel_metric_exports_total",
        &[among("result", &["exported", "failed"])],
        "Exports of all metrics to the collector: exported; failed because the collector did not take them.",
    ),
    counter(
        ANY,
        "hookline_otel_spans_total",
        &[among("result", &["exported", "dropped", "failed"])],
        "Spans that ended: exported; dropped because too many were waiting; failed because the collector did not take them.",
    ),
    counter(
        API,
        "hookline_api_requests_total",
        &[
            like("route", "a route's template, or `none`", is_route),
            among(
                "method",
                &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"],
            ),
            among("status", &["2xx", "3xx", "4xx", "5xx"]),
        ],
        "Requests to the HTTP API that were answered.",
    ),
    seconds(
        API,
        "hookline_api_request_seconds",
        REQUEST_SEC,
        "From a request's head to its answer's.",
    ),
    counter(
        API,
        "hookline_clerk_batches_total",
        &[],
        "Batches of changes that the clerk has decided.",
    ),
    gauge(
        API,
        "hookline_clerk_in_office",
        Unit::Count,
        &[],
        "1 in the process that decides changes of the configuration.",
    ),
    counter(
        API,
        "hookline_clerk_requests_total",
        &[],
        "Changes of the configuration that the clerk has decided, accepted or not.",
    ),
    counter(
        API,
        "hookline_ledger_unreadable_requests_total",
        &[],
        "Records in ledger.requests that are no request; the clerk passes them over.",
    ),
    counter(
        FANOUT,
        "hookline_contract_mismatch_total",
        &[
            like("type", "a name of the catalogs, or a family such as `cases.*`", is_type),
            among("stability", &["stable", "beta"]),
        ],
        "Events whose data is not as their type's contract says. Those of a stable type are rejected.",
    ),
    counter(
        FANOUT,
        "hookline_events_total",
        &[among("result", &["matched", "unmatched", "rejected"])],
        "Source records that are done: for at least one endpoint, for none, or rejected.",
    ),
    seconds(
        FANOUT,
        "hookline_fanout_batch_seconds",
        REQUEST_SEC,
        "From taking a batch of source records to the commit of their offsets.",
    ),
    seconds(
        FANOUT,
        "hookline_fanout_delay_seconds",
        AGE_SEC,
        "From a source record's timestamp to the acknowledgement of everything that follows from it: fan-out's lag.",
    ),
    counter(
        FANOUT,
        "hookline_matched_total",
        &[],
        "Deliveries made: pairs of an event and an endpoint that it is for.",
    ),
    counter(
        FANOUT,
        "hookline_offsets_expired_total",
        &[],
        "Starts at which the brokers had forgotten fan-out's offsets. See OPERATIONS.md.",
    ),
    counter(
        FANOUT,
        "hookline_rejected_total",
        &[among(
            "reason",
            &[
                "contract_broken",
                "invalid",
                "too_large",
                "unknown_tenant",
                "unknown_type",
                "unreadable",
            ],
        )],
        "Source records rejected, by reason; they are kept in the topic rejected.",
    ),
    seconds(
        DISPATCHER,
        "hookline_attempt_seconds",
        REQUEST_SEC,
        "Time of one request: until its response was read, or why there is none was known.",
    ),
    gauge(
        DISPATCHER,
        "hookline_buffered_bytes",
        Unit::Bytes,
        &[],
        "Deliveries in memory, of dispatcher.max_buffered_bytes.",
    ),
    counter(
        DISPATCHER,
        "hookline_circuit_changes_total",
        &[among("to", &["open", "closed"])],
        "Circuits that opened, and that closed again.",
    ),
    gauge(
        DISPATCHER,
        "hookline_circuits_open",
        Unit::Count,
        &[],
        "Endpoints of this process whose circuit is open or half-open.",
    ),
    counter(
        "dispatcher, fanout",
        "hookline_dead_letters_total",
        &[REASON],
        "Deliveries put among the dead letters, by reason; fan-out does so for endpoints that are disabled.",
    ),
    counter(
        DISPATCHER,
        "hookline_deferrals_total",
        &[],
        "Deliveries put back into a retry topic without an attempt, for want of memory, time or an active endpoint.",
    ),
    counter(
        DISPATCHER,
        "hookline_deliveries_total",
        &[
            among("outcome", &["delivered", "retry", "dead", "cancelled"]),
            like(
                "reason",
                "as of `hookline_dead_letters_total`; empty for `delivered` and `retry`",
                |reason| reason.is_empty() || REASON.values.allow(reason),
            ),
        ],
        "What deliveries came to, each time that one came to something.",
    ),
    seconds(
        DISPATCHER,
        "hookline_delivery_age_seconds",
        AGE_SEC,
        "From the source record's timestamp (of a replay: from the replay) to the 2xx of the endpoint.",
    ),
    counter(
        "dispatcher, api",
        "hookline_egress_denied_total",
        &[among(
            "kind",
            &["url", "scheme", "userinfo", "port", "host", "address", "name"],
        )],
        "Requests that the egress policy refused, by what it refused; of role api they are test sends.",
    ),
    counter(
        DISPATCHER,
        "hookline_endpoints_disabled_total",
        &[among("reason", &["gone", "failing"])],
        "Endpoints that this process had disabled: the receiver answered 410, or failed for too long.",
    ),
    counter(
        DISPATCHER,
        "hookline_owner_changes_total",
        &[among("why", &["assigned", "revoked", "lost"])],
        "Times that shards came to this process or left it.",
    ),
    counter(
        DISPATCHER,
        "hookline_repeats_skipped_total",
        &[among("by", &["commit_metadata", "recent_set"])],
        "Records that were done already, and were not sent again.",
    ),
    gauge(
        DISPATCHER,
        "hookline_requests_in_flight",
        Unit::Count,
        &[],
        "Requests under way or not yet committed, of dispatcher.max_in_flight.",
    ),
    counter(
        DISPATCHER,
        "hookline_retries_scheduled_total",
        &[],
        "Failed attempts after which another one was put into a retry topic.",
    ),
    gauge(
        DISPATCHER,
        "hookline_shards_owned",
        Unit::Count,
        &[],
        "Shards of this process; over all dispatchers they add up to kafka.lanes.",
    ),
    gauge(
        SCHEDULER,
        "hookline_retry_blocked_partitions",
        Unit::Count,
        &[like("partition", "0 to 7", |partition| {
            partition.parse::<u8>().is_ok_and(|number| number < 8)
        })],
        "Retry topics whose partition of this number stands still at a record of an unknown schema.",
    ),
    seconds(
        SCHEDULER,
        "hookline_retry_lateness_seconds",
        LATE_SEC,
        "How much later than due a delivery left the retry topics.",
    ),
    counter(
        SCHEDULER,
        "hookline_retry_released_total",
        &[],
        "Deliveries that left the retry topics.",
    ),
    counter(
        SCHEDULER,
        "hookline_scheduler_restarts_total",
        &[],
        "Partitions that the scheduler began anew after an error.",
    ),
    counter(
        SCHEDULER,
        "hookline_topics_deleted_total",
        &[],
        "Dedicated topics of deleted endpoints that were removed.",
    ),
];

/// Names are the catalog's, not the event's: `mail.*` stands for all that begins so.
fn is_type(name: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-*".contains(&b));
    name.len() <= 100 && name.split('.').all(is_part)
}

/// As the router has it: `/webhooks/v1/endpoints/{id}`, never a path with an id in it.
fn is_route(route: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"/._-{}".contains(&b);
    route == "none" || (route.starts_with('/') && route.len() <= 100 && route.bytes().all(allowed))
}

/// The metric of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Metric> {
    all().find(|metric| metric.name == name)
}
