//! Questions about what was decided under a request's id. They go through the clerk, so that everything that was asked for
//! before is decided by then, and they leave nothing behind: an id that nothing was decided under stays free.
//!
//! And notes: answers to requests that change nothing in the ledger, remembered like those that do.

use crate::rules::Refusal;
use schemas::{LedgerOutcome, LedgerRequest};

/// In the place of an entity's kind; the id beside it is the request's that is asked about. A clerk that doesn't know it
/// refuses it.
const KIND: &str = "recall";
/// What questions' own ids begin with: no change has such a one.
const OWN_ID: &str = "recall-";
/// In the place of an entity's kind: nothing but the answer is wanted.
const NOTE: &str = "note";
/// What comes of it: as a refusal it changes nothing and is remembered, by a clerk that doesn't know notes, too.
const NOTED: &str = "noted";
/// Nothing was decided under that id, as far as the clerk remembers.
const UNKNOWN: &str = "unknown";

/// A question about `request_id`. It has an id of its own: whoever waits for a change of that id must not get its outcome.
pub(crate) fn question(request_id: &str, now_ms: i64) -> LedgerRequest {
    LedgerRequest {
        request_id: format!("{OWN_ID}{}", ulid::Ulid::new()),
        requested_at_ms: now_ms,
        kind: KIND.to_owned(),
        id: request_id.to_owned(),
        expected_version: None,
        entity: None,
        answer: None,
    }
}

/// That this answer was given to the request of this id.
pub(crate) fn note(request_id: &str, answer: Vec<u8>, now_ms: i64) -> LedgerRequest {
    LedgerRequest {
        request_id: request_id.to_owned(),
        requested_at_ms: now_ms,
        kind: NOTE.to_owned(),
        id: request_id.to_owned(),
        expected_version: None,
        entity: None,
        answer: Some(answer),
    }
}

/// The refusal of a note.
pub(super) fn noted(request: &LedgerRequest) -> Option<Refusal> {
    (request.kind == NOTE).then(|| Refusal::new(NOTED, "the answer is remembered".to_owned()))
}

/// Whether the outcome is a note's, by a clerk that knows them.
pub(crate) fn is_noted(outcome: &LedgerOutcome) -> bool {
    outcome.code.as_deref() == Some(NOTED)
}

/// The id that is asked about.
pub(super) fn asked_about(request: &LedgerRequest) -> Option<&str> {
    (request.kind == KIND).then_some(request.id.as_str())
}

/// Whether this is the outcome of a question: not to be remembered.
pub(super) fn is_of_a_question(outcome: &LedgerOutcome) -> bool {
    outcome.request_id.starts_with(OWN_ID)
}

/// What is answered to the question `own_id`.
pub(super) fn outcome(own_id: &str, known: Option<&LedgerOutcome>, now_ms: i64) -> LedgerOutcome {
    let request_id = own_id.to_owned();
    match known {
        Some(known) => LedgerOutcome {
            request_id,
            ..known.clone()
        },
        None => LedgerOutcome {
            request_id,
            decided_at_ms: now_ms,
            accepted: false,
            version: 0,
            ledger_offset: 0,
            code: Some(UNKNOWN.to_owned()),
            message: None,
            answer: None,
        },
    }
}

/// Whether a question's outcome says that nothing was decided.
pub(crate) fn is_unknown(outcome: &LedgerOutcome) -> bool {
    outcome.code.as_deref() == Some(UNKNOWN)
}
