//! One batch of requests: decided together, committed in one transaction with its outcomes and its offsets.

use super::{
    decide::{Accepted, Circumstances, Topic, decide},
    decided::Decided,
    recall,
};
use crate::{Error, Kind, View, rules::Refusal};
use kafka_log::{Ack, Commit, GroupMetadata, Names, Outgoing, Record, Transaction};
use runtime::crash_point;
use schemas::{
    LedgerEntry, LedgerOutcome, LedgerRequest,
    codec::{self, OwnSchemas},
};
use std::{collections::HashMap, sync::Arc};

/// What is to be answered to one request.
pub(super) enum Verdict {
    /// It was decided before.
    Repeat(Known),
    /// A question of this id, and what is known of the request that it asks about.
    Recall(String, Option<Known>),
    Accepted(LedgerRequest, Accepted),
    Refused(LedgerRequest, Refusal),
}

/// Where the outcome of a request that was decided is.
#[derive(Debug, Clone)]
pub(super) enum Known {
    Before(Arc<LedgerOutcome>),
    /// At this place of the same batch.
    Here(usize),
}

/// A decided batch and the ledger as it will be.
pub(super) struct Plan {
    pub view: View,
    pub verdicts: Vec<Verdict>,
}

impl Plan {
    /// Endpoints that need a dedicated topic before the batch is written, and its number.
    pub(super) fn topics_to_make(&self, about: &Circumstances) -> Vec<(Arc<str>, i64)> {
        let accepted = self.verdicts.iter().filter_map(|v| match v {
            Verdict::Accepted(_, accepted) => Some((accepted.id.clone(), accepted.new_topic?)),
            _ => None,
        });
        accepted
            .filter(|(id, number)| about.topics.get(id) != Some(&Topic::Made(*number)))
            .collect()
    }
}

/// As long as outcomes are kept: whether an older request was decided before, nobody can tell any more.
const LONGEST_WAIT_MS: i64 = 24 * 3_600_000;

/// Requests that can be read. One that can't has no id to answer to: it is logged and left behind. So is one that is
/// older than the outcomes: when a group's offsets have expired (after a week without a clerk), requests that were
/// decided long ago are read again, and would bring back what was removed since, such as a revoked key.
pub(super) fn read(records: &[Record], now_ms: i64) -> Vec<LedgerRequest> {
    let read = |record: &Record| {
        let request = codec::decode::<LedgerRequest>(record.value.as_deref().unwrap_or_default(), &OwnSchemas);
        request
            .inspect_err(|error| {
                metrics::counter!("hookline_ledger_unreadable_requests_total").increment(1);
                tracing::error!(offset = record.offset, %error, "a request to the ledger can't be read and is passed over");
            })
            .ok()
            .filter(|request| {
                let is_too_old = is_too_old(request, now_ms);
                if is_too_old {
                    tracing::warn!(offset = record.offset, request.id, "a request older than a day is passed over");
                }
                !is_too_old
            })
    };
    records.iter().filter_map(read).collect()
}

fn is_too_old(request: &LedgerRequest, now_ms: i64) -> bool {
    now_ms.saturating_sub(request.requested_at_ms) > LONGEST_WAIT_MS
}

/// Decides all requests in their order, each on what the ones before it made of the ledger.
pub(super) fn plan(view: &View, decided: &Decided, requests: &[LedgerRequest], about: &Circumstances) -> Plan {
    let mut view = view.clone();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut verdicts = Vec::with_capacity(requests.len());
    for request in requests {
        let asked_about = recall::asked_about(request);
        let id = asked_about.unwrap_or(&request.request_id);
        let before = decided.get(id).map(|outcome| Known::Before(outcome.clone()));
        let known = before.or_else(|| places.get(id).map(|place| Known::Here(*place)));
        let verdict = if asked_about.is_some() {
            Verdict::Recall(request.request_id.clone(), known)
        } else if let Some(known) = known {
            Verdict::Repeat(known)
        } else {
            places.insert(&request.request_id, verdicts.len());
            match decide(&mut view, request, about) {
                Ok(accepted) => Verdict::Accepted(request.clone(), accepted),
                Err(refusal) => Verdict::Refused(request.clone(), refusal),
            }
        };
        verdicts.push(verdict);
    }
    Plan { view, verdicts }
}

/// Writes a plan and its offsets into a transaction and commits it. Returns the outcomes, one a verdict.
pub(super) async fn write(
    transaction: Transaction<'_>,
    names: &Names,
    verdicts: &[Verdict],
    now_ms: i64,
    offsets: Option<(Commit, GroupMetadata)>,
) -> Result<Vec<Arc<LedgerOutcome>>, Error> {
    let ledger = names.ledger();
    let mut acks: Vec<Option<Ack>> = Vec::with_capacity(verdicts.len());
    for verdict in verdicts {
        acks.push(match verdict {
            Verdict::Accepted(request, accepted) => {
                Some(transaction.send(&entry(&ledger, request, accepted, now_ms)?).await?)
            }
            _ => None,
        });
    }
    let mut positions = Vec::with_capacity(acks.len());
    for ack in acks {
        positions.push(match ack {
            Some(ack) => ack.await?.offset,
            None => 0,
        });
    }
    publish_notices(&transaction, names, verdicts).await?;
    crash_point("clerk.after_ledger_written");
    let mut outcomes: Vec<Arc<LedgerOutcome>> = Vec::with_capacity(verdicts.len());
    for (verdict, offset) in verdicts.iter().zip(positions) {
        let outcome_of = |known: &Known| match known {
            Known::Before(outcome) => outcome.clone(),
            Known::Here(place) => outcomes[*place].clone(),
        };
        let outcome = match verdict {
            Verdict::Repeat(known) => outcome_of(known),
            Verdict::Recall(own_id, known) => {
                let known = known.as_ref().map(outcome_of);
                Arc::new(recall::outcome(own_id, known.as_deref(), now_ms))
            }
            Verdict::Accepted(request, accepted) => Arc::new(accepted_outcome(request, accepted, offset, now_ms)),
            Verdict::Refused(request, refusal) => Arc::new(refused_outcome(request, refusal, now_ms)),
        };
        outcomes.push(outcome);
    }
    let topic = names.ledger_outcomes();
    let mut acks = Vec::with_capacity(outcomes.len());
    for outcome in &outcomes {
        let value = codec::encode(outcome.as_ref()).map_err(|e| Error::Encode(e.to_string()))?;
        acks.push(
            transaction
                .send(&Outgoing::new(&topic, 0, outcome.request_id.as_bytes(), value))
                .await?,
        );
    }
    for ack in acks {
        ack.await?;
    }
    crash_point("clerk.after_outcomes_written");
    if let Some((commit, group)) = offsets {
        transaction.commit_offsets(&[commit], group).await?;
    }
    crash_point("clerk.after_offsets");
    transaction.commit().await?;
    crash_point("clerk.after_commit");
    Ok(outcomes)
}

async fn publish_notices(transaction: &Transaction<'_>, names: &Names, verdicts: &[Verdict]) -> Result<(), Error> {
    let mut acks = Vec::new();
    for verdict in verdicts {
        if let Verdict::Accepted(_, accepted) = verdict
            && let Some(notice) = &accepted.notice
        {
            acks.push(transaction.send(&notice.record(names)).await?);
        }
    }
    for ack in acks {
        ack.await?;
    }
    Ok(())
}

fn entry(topic: &str, request: &LedgerRequest, accepted: &Accepted, now_ms: i64) -> Result<Outgoing, Error> {
    let key = accepted.kind.key(&accepted.id);
    let Some(entity) = &accepted.entity else {
        return Ok(Outgoing::tombstone(topic, 0, key));
    };
    let entry = LedgerEntry {
        kind: accepted.kind.as_str().to_owned(),
        id: accepted.id.to_string(),
        version: accepted.version,
        written_at_ms: now_ms,
        request_id: request.request_id.clone(),
        entity: entity.clone(),
    };
    let value = codec::encode(&entry).map_err(|e| Error::Encode(e.to_string()))?;
    Ok(Outgoing::new(topic, 0, key, value))
}

fn accepted_outcome(request: &LedgerRequest, accepted: &Accepted, ledger_offset: i64, now_ms: i64) -> LedgerOutcome {
    debug_assert!(accepted.kind != Kind::Installation || request.expected_version == Some(0));
    LedgerOutcome {
        request_id: request.request_id.clone(),
        decided_at_ms: now_ms,
        accepted: true,
        version: accepted.version,
        ledger_offset,
        code: None,
        message: None,
        answer: request.answer.clone(),
    }
}

fn refused_outcome(request: &LedgerRequest, refusal: &Refusal, now_ms: i64) -> LedgerOutcome {
    LedgerOutcome {
        request_id: request.request_id.clone(),
        decided_at_ms: now_ms,
        accepted: false,
        version: refusal.version,
        ledger_offset: 0,
        code: Some(refusal.code.to_owned()),
        message: Some(refusal.message.clone()),
        answer: request.answer.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_by_what_stands_before_it_and_uses_no_id_up() {
        let about = Circumstances {
            dedicated_limit: 0,
            now_ms: 1,
            founding: false,
            topics: HashMap::new(),
        };
        let removal = LedgerRequest {
            request_id: "r".into(),
            requested_at_ms: 1,
            kind: Kind::Key.as_str().into(),
            id: "key_1".into(),
            expected_version: None,
            entity: None,
            answer: None,
        };
        let ask = || recall::question("r", 1);
        let mut decided = Decided::default();
        let requests = [ask(), removal.clone(), ask(), removal.clone()];
        let verdicts = plan(&View::default(), &decided, &requests, &about).verdicts;
        assert!(matches!(&verdicts[0], Verdict::Recall(_, None)));
        assert!(matches!(&verdicts[1], Verdict::Refused(..)));
        assert!(matches!(&verdicts[2], Verdict::Recall(id, Some(Known::Here(1))) if *id == requests[2].request_id));
        assert!(matches!(&verdicts[3], Verdict::Repeat(Known::Here(1))));
        let unknown = recall::outcome(&requests[0].request_id, None, 1);
        assert!(recall::is_unknown(&unknown));
        decided.insert(Arc::new(unknown));
        assert!(
            decided.get(&requests[0].request_id).is_none(),
            "questions aren't remembered"
        );
        let refusal = Refusal::new("not_found", "no");
        decided.insert(Arc::new(refused_outcome(&removal, &refusal, 1)));
        let verdicts = plan(&View::default(), &decided, &[ask()], &about).verdicts;
        assert!(matches!(&verdicts[0], Verdict::Recall(_, Some(Known::Before(outcome))) if outcome.request_id == "r"));
    }

    #[test]
    fn what_can_no_longer_be_recognised_is_not_decided_again() {
        let request = LedgerRequest {
            request_id: "r".into(),
            requested_at_ms: 1_000,
            kind: Kind::Key.as_str().into(),
            id: "key_1".into(),
            expected_version: Some(0),
            entity: None,
            answer: None,
        };
        assert!(!is_too_old(&request, 1_000 + LONGEST_WAIT_MS));
        assert!(is_too_old(&request, 1_001 + LONGEST_WAIT_MS));
        assert!(!is_too_old(&request, 0), "a clock that is behind");
    }
}
