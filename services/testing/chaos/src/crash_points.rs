//! Names of all crash points in the code, by the role that passes them. What they do is `runtime`'s business.

/// Between an event's deliveries and the commit of its offset.
pub const FANOUT: &[&str] = &[
    "fanout.after_produce",
    "fanout.before_log",
    "fanout.after_acks",
    "fanout.after_commit",
];

/// Between a request, what follows from it, and the commit.
pub const DISPATCHER: &[&str] = &[
    "dispatcher.before_request",
    "dispatcher.after_response",
    "dispatcher.after_settled",
    "dispatcher.aside_written",
    "dispatcher.before_commit",
    "dispatcher.after_commit",
];

/// Around the transaction that moves what is due.
pub const SCHEDULER: &[&str] = &[
    "scheduler.after_begin",
    "scheduler.after_produce",
    "scheduler.after_offsets",
    "scheduler.after_commit",
];

/// Around the transaction that decides a batch of changes.
pub const CLERK: &[&str] = &[
    "clerk.after_read",
    "clerk.after_begin",
    "clerk.after_ledger_written",
    "clerk.after_outcomes_written",
    "clerk.after_offsets",
    "clerk.after_commit",
];

/// Around the transaction that replays a batch of dead letters: passed by `hookline dlq replay`, by no role.
pub const REPLAY: &[&str] = &[
    "replay.after_begin",
    "replay.after_produce",
    "replay.before_commit",
    "replay.after_commit",
];

/// After a batch of a job that replays an endpoint; such a batch passes all of [`REPLAY`], too.
pub const HISTORY: &[&str] = &["history.job_after_batch"];

/// Around the transaction that takes a batch of the log into the history's database.
pub const PROJECTION: &[&str] = &["history.before_write", "history.after_write"];

#[cfg(test)]
mod tests {
    //! Against the sources.
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Every `crash_point("…")` of the Rust files below.
    fn collect(dir: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).expect("a directory of the sources can be read") {
            let path = entry.expect("its entries too").path();
            let is_ours = path.ends_with("testing") || path.ends_with("runtime");
            if path.is_dir() && !is_ours {
                collect(&path, names);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source is text");
                let calls = text.split("crash_point(\"").skip(1);
                names.extend(calls.filter_map(|call| Some(call.split_once('"')?.0.to_owned())));
            }
        }
    }

    #[test]
    fn every_crash_point_of_the_sources_is_listed_and_no_other() {
        let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut found = BTreeSet::new();
        collect(&services, &mut found);
        let lists = [FANOUT, DISPATCHER, SCHEDULER, CLERK, REPLAY, HISTORY, PROJECTION];
        let listed: BTreeSet<_> = lists.into_iter().flatten().map(|name| (*name).to_owned()).collect();
        assert_eq!(found, listed);
    }
}
