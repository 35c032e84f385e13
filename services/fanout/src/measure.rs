//! The fan-out's metrics. Labels are bounded: results, reasons and the catalog's names (a family's for what lies below).

use std::time::Duration;

/// Events done with. `result`: `matched`, `unmatched` or `rejected`.
pub(crate) fn events(result: &'static str, count: u64) {
    if count > 0 {
        metrics::counter!("hookline_events_total", "result" => result).increment(count);
    }
}

/// Pairs of an event and an endpoint that it is for.
pub(crate) fn matched(pairs: u64) {
    metrics::counter!("hookline_matched_total").increment(pairs);
}

/// Deliveries for disabled endpoints, which are dead at once.
pub(crate) fn dead(deliveries: u64) {
    metrics::counter!("hookline_dead_letters_total", "reason" => "endpoint_disabled").increment(deliveries);
}

/// A rejected record.
pub(crate) fn rejected(reason: &'static str) {
    metrics::counter!("hookline_rejected_total", "reason" => reason).increment(1);
}

/// Data that isn't as its type's contract says.
pub(crate) fn contract_mismatch(event_type: &str, stability: &'static str) {
    metrics::counter!(
        "hookline_contract_mismatch_total", "type" => event_type.to_owned(), "stability" => stability
    )
    .increment(1);
}

/// From the record's timestamp to the acknowledgement of everything that follows from it.
pub(crate) fn delay(record_ms: i64, now_ms: i64) {
    let delay_ms = now_ms.saturating_sub(record_ms).max(0);
    metrics::histogram!("hookline_fanout_delay_seconds").record(delay_ms as f64 / 1000.0);
}

/// From taking a batch to its commit.
pub(crate) fn batch(took: Duration) {
    metrics::histogram!("hookline_fanout_batch_seconds").record(took.as_secs_f64());
}
