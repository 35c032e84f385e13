//! Those of role `history`.

use super::REQUEST_SEC;
use crate::metrics::shape::{Metric, counter, seconds};

const HISTORY: &str = "history";

pub(super) const METRICS: &[Metric] = &[
    seconds(
        HISTORY,
        "hookline_history_batch_seconds",
        REQUEST_SEC,
        "How long the database took for one batch of the log.",
    ),
    counter(
        HISTORY,
        "hookline_history_damaged_total",
        &[],
        "Records of the log that could not be read, and that the history goes on without. Never 0 to be ignored.",
    ),
    counter(
        HISTORY,
        "hookline_history_pruned_total",
        &[],
        "Rows taken out of the database because they were past their retention.",
    ),
    counter(
        HISTORY,
        "hookline_history_records_total",
        &[],
        "Records of the log that were projected into the database.",
    ),
    counter(
        HISTORY,
        "hookline_history_write_failures_total",
        &[],
        "Times that the database did not take a batch; it is tried again.",
    ),
    counter(
        HISTORY,
        "hookline_job_deliveries_total",
        &[],
        "Deliveries sent again, or for the first time, by jobs that replay endpoints.",
    ),
    counter(
        HISTORY,
        "hookline_jobs_interrupted_total",
        &[],
        "Times that a job could not go on; it is taken up again.",
    ),
];
