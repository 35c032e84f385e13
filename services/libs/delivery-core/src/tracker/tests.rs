//! The tracker against a naive model: a log with gaps, a set of what is done, crashes at any point.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn identity() -> Identity {
    Identity::new("5L6g3nShT-eMCtK--X86sw", "2f5b9a4e-8f43-4a53-9a6b-0c5d7e1f2a3b")
}

fn tracker() -> Tracker {
    Tracker::new(100, identity())
}

#[test]
fn nothing_read_commits_the_base() {
    assert_eq!(tracker().commit_point().offset, 100);
    assert_eq!(tracker().take_commit(), None);
}

#[test]
fn the_watermark_waits_for_the_first_record_not_done() {
    let mut tracker = tracker();
    let seqs: Vec<u64> = [100, 103, 104, 110].map(|offset| tracker.read(offset).seq).to_vec();
    tracker.done(seqs[1]);
    tracker.done(seqs[3]);
    assert_eq!((tracker.commit_point().offset, tracker.outstanding()), (100, 2));
    tracker.done(seqs[0]);
    assert_eq!((tracker.commit_point().offset, tracker.window()), (104, 2));
    tracker.done(seqs[2]);
    assert_eq!((tracker.commit_point().offset, tracker.window()), (111, 0));
}

#[test]
fn a_log_that_begins_again_is_followed_from_there_and_what_was_read_before_changes_nothing() {
    let mut tracker = tracker();
    let before: Vec<u64> = [100, 101].map(|offset| tracker.read(offset).seq).to_vec();
    assert!(tracker.follows(102) && !tracker.follows(3));
    tracker.restart(3);
    assert_eq!(tracker.take_commit().expect("it stands elsewhere").offset, 3);
    let after = tracker.read(3).seq;
    for seq in before {
        tracker.done(seq);
    }
    assert_eq!((tracker.commit_point().offset, tracker.outstanding()), (3, 1));
    tracker.done(after);
    assert_eq!((tracker.commit_point().offset, tracker.outstanding()), (4, 0));
}

#[test]
fn a_commit_is_taken_once_per_change() {
    let mut tracker = tracker();
    let first = tracker.read(100).seq;
    assert_eq!(tracker.take_commit(), None, "reading is no change");
    tracker.done(first);
    assert!(tracker.dirty());
    assert_eq!(tracker.take_commit().expect("something was done").offset, 101);
    tracker.done(first);
    assert_eq!(tracker.take_commit(), None, "a repeat is no change");
    tracker.commit_failed();
    assert_eq!(tracker.take_commit().expect("the last one failed").offset, 101);
}

#[test]
fn a_successor_skips_what_was_done_and_keeps_it_for_its_own_successor() {
    let mut first = tracker();
    let seqs: Vec<u64> = (100..110).map(|offset| first.read(offset).seq).collect();
    for done in [2, 3, 7, 9] {
        first.done(seqs[done]);
    }
    let committed = first.take_commit().expect("something was done");
    let mut second = Tracker::resume(committed.offset, Some(&committed.metadata), identity());
    assert!(!second.read(100).already_done);
    assert!(!second.read(101).already_done);
    assert!(second.read(102).already_done);
    // It crashes before it reads the rest: what it inherited is still in its own metadata.
    let committed = second.commit_point();
    let mut third = Tracker::resume(committed.offset, Some(&committed.metadata), identity());
    let skipped: Vec<i64> = (100..112).filter(|offset| third.read(*offset).already_done).collect();
    assert_eq!(skipped, [102, 103, 107, 109]);
}

#[test]
fn metadata_that_does_not_belong_here_is_ignored() {
    let mut first = tracker();
    first.read(100);
    let second = first.read(101).seq;
    first.done(second);
    let metadata = first.commit_point().metadata;
    let other = Identity::new("another", "one");
    for (committed, text, identity) in [
        (100, metadata.as_str(), other),
        (99, metadata.as_str(), identity()),
        (100, "", identity()),
        (100, "v1|||100|", identity()),
        (100, "\u{0}|\u{1F980}", identity()),
    ] {
        let mut resumed = Tracker::resume(committed, Some(text), identity);
        assert!((100..103).all(|offset| !resumed.read(offset).already_done), "{text}");
    }
    let mut resumed = Tracker::resume(100, Some(&metadata), identity());
    assert_eq!(
        [100, 101, 102].map(|offset| resumed.read(offset).already_done),
        [false, true, false]
    );
}

#[test]
fn room_ends_before_the_metadata_overflows_whatever_is_done() {
    let mut tracker = tracker();
    let mut offset = 100;
    while tracker.has_room() {
        let seq = tracker.read(offset).seq;
        if seq % 2 == 1 {
            tracker.done(seq);
        }
        offset += 1;
    }
    assert!(tracker.window() >= 24_000, "room for {} only", tracker.window());
    assert_resumes_whole(&tracker);
}

#[test]
fn a_window_of_long_runs_has_room_up_to_its_bound_invariant_7() {
    let mut tracker = tracker();
    let mut offset = 100;
    while tracker.has_room() {
        let seq = tracker.read(offset).seq;
        if !seq.is_multiple_of(300) {
            tracker.done(seq);
        }
        offset += 1;
    }
    assert_eq!(tracker.window(), MAX_RECORDS.min(tracker.window()));
    assert!(tracker.window() > 200_000, "room for {} only", tracker.window());
    assert_resumes_whole(&tracker);
}

/// The commit point speaks of every record of the window.
fn assert_resumes_whole(tracker: &Tracker) {
    let point = tracker.commit_point();
    assert!(point.metadata.len() <= 4096, "{} bytes", point.metadata.len());
    let mut resumed = Tracker::resume(point.offset, Some(&point.metadata), tracker.identity.clone());
    for record in &tracker.window {
        assert_eq!(
            resumed.read(record.offset).already_done,
            record.done,
            "offset {}",
            record.offset
        );
    }
}

/// What a step does to the partition's owner.
#[derive(Debug, Clone)]
enum Step {
    Read,
    /// The n-th of those not done.
    Done(usize),
    Commit,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => Just(Step::Read),
        4 => (0..1_000_usize).prop_map(Step::Done),
        2 => Just(Step::Commit),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn equals_a_naive_set_through_crashes(
        gaps in prop::collection::vec(prop_oneof![6 => Just(1_i64), 1 => 2..20_i64], 200),
        steps in prop::collection::vec(step(), 1..400),
    ) {
        let log: Vec<i64> = gaps.iter().scan(0, |offset, gap| { *offset += gap; Some(*offset) }).collect();
        let mut tracker = Tracker::new(0, identity());
        let (mut committed, mut committed_done) = (tracker.commit_point(), BTreeSet::new());
        // Offsets done as this owner knows, its position in the log, and its own unfinished records.
        let (mut done, mut position) = (BTreeSet::new(), 0_usize);
        let mut unfinished: BTreeMap<i64, u64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Read if position < log.len() => {
                    let offset = log[position];
                    position += 1;
                    let read = tracker.read(offset);
                    prop_assert_eq!(read.already_done, done.contains(&offset), "offset {}", offset);
                    if !read.already_done {
                        unfinished.insert(offset, read.seq);
                    }
                }
                Step::Read => {}
                Step::Done(choice) if !unfinished.is_empty() => {
                    let offset = *unfinished.keys().nth(choice % unfinished.len()).expect("within its length");
                    tracker.done(unfinished.remove(&offset).expect("just seen"));
                    done.insert(offset);
                }
                Step::Done(_) => {}
                Step::Commit => {
                    if let Some(point) = tracker.take_commit() {
                        committed = point;
                        committed_done = done.clone();
                    }
                }
                Step::Crash => {
                    tracker = Tracker::resume(committed.offset, Some(&committed.metadata), identity());
                    done = committed_done.clone();
                    unfinished.clear();
                    position = log.partition_point(|offset| *offset < committed.offset);
                    // Invariant 2: nothing below the committed offset is unfinished.
                    prop_assert!(log[..position].iter().all(|offset| done.contains(offset)));
                }
            }
            prop_assert_eq!(tracker.outstanding(), unfinished.len());
            let first_unfinished = unfinished.keys().next();
            let point = tracker.commit_point();
            prop_assert!(point.metadata.len() <= 4096);
            if let Some(first) = first_unfinished {
                prop_assert_eq!(point.offset, *first);
            }
        }
    }

    /// Obeying `has_room`, no order of completion makes the metadata forget a record.
    #[test]
    fn room_is_certain(keep in prop::collection::vec(1..400_u64, 1..50), order in any::<u64>()) {
        let mut tracker = Tracker::new(0, Identity::new("c", &"i".repeat(3_900)));
        let mut offset = 0;
        let mut kept = Vec::new();
        while tracker.has_room() && offset < 20_000 {
            let seq = tracker.read(offset).seq;
            if seq.is_multiple_of(keep[seq as usize % keep.len()]) { kept.push(seq); } else { tracker.done(seq); }
            offset += 1;
        }
        assert_resumes_whole(&tracker);
        for (number, seq) in kept.iter().enumerate() {
            if order >> (number % 64) & 1 == 1 { tracker.done(*seq); }
        }
        assert_resumes_whole(&tracker);
    }
}
