//! What special endpoints must have got besides everything: signatures and envelopes as they were set; and why what is dead
//! died, and that what could go either way went one way.

use std::collections::HashSet;

use harness::logbook::Outcome;
use harness::{Logbook, Seen};
use serde_json::Value;

use crate::cast::Cast;
use crate::manner::{Fate, Manner};
use crate::traffic::Expected;

/// What is wrong with signatures during rotations, and with bodies, in words.
pub(crate) fn judge(cast: &Cast) -> Vec<String> {
    let mut wrong = Vec::new();
    for member in cast.of_manner(Manner::Rotated) {
        let accepted = member.hook.accepted();
        // The first secret alone, and with the new one of each rotation.
        let by_several: usize = accepted.iter().skip(1).sum();
        println!(
            "chaos: {by_several} requests were signed by old and new secrets; by sets of signers, the smallest first: \
             {accepted:?}"
        );
        if by_several == 0 {
            wrong.push("no request was signed by old and new secrets of a rotation".to_owned());
        }
    }
    for manner in [Manner::CloudEvents, Manner::Raw] {
        for member in cast.of_manner(manner) {
            let requests = member.hook.requests();
            let strange = requests.iter().filter(|seen| !has_envelope(manner, seen)).count();
            if strange > 0 {
                wrong.push(format!("{strange} bodies have no envelope {manner:?}"));
            }
        }
    }
    wrong
}

fn has_envelope(manner: Manner, seen: &Seen) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(&seen.body) else {
        return false;
    };
    let id = Value::from(seen.event_id.clone());
    match manner {
        Manner::Raw => body["objectId"] == id,
        _ => body["specversion"] == "1.0" && body["id"] == id && body["data"]["objectId"] == id,
    }
}

/// Deliveries that died for another reason than they may, and those whose fate was open and contradicts itself.
pub(crate) fn wrong_fates(
    logbook: &Logbook,
    cast: &Cast,
    expected: &Expected,
    dead: &HashSet<(String, String)>,
) -> Vec<String> {
    let fates = logbook.by_pair();
    let mut wrong = Vec::new();
    for member in &cast.members {
        let Fate::Die(reasons) = member.part.manner.fate() else {
            continue;
        };
        let dying = expected.dying.iter().filter(|(_, endpoint)| *endpoint == member.id);
        for (event, endpoint) in dying {
            let found = fates
                .get(&(event.as_str(), endpoint.as_str()))
                .map(|fate| &fate.reasons);
            if !found.is_some_and(|found| reasons.iter().any(|reason| found.contains(*reason))) {
                wrong.push(format!("{event} for {:?} died of {found:?}", member.part.manner));
            }
        }
    }
    for (event, index) in &expected.unmatched {
        let member = &cast.members[*index];
        let is_logged = fates.contains_key(&(event.as_str(), member.id.as_str()));
        if is_logged || member.hook.has_delivered(event) {
            wrong.push(format!("{event} was matched by an endpoint that had been deleted"));
        }
    }
    let mut counts = [0; 4];
    for (event, index) in &expected.open {
        let member = &cast.members[*index];
        let pair = (event.clone(), member.id.clone());
        let Some(fate) = fates.get(&(event.as_str(), member.id.as_str())) else {
            // It wasn't matched: then nothing may have come.
            counts[0] += 1;
            if member.hook.has_delivered(event) || dead.contains(&pair) {
                wrong.push(format!("{event} came to {:?} unlogged", member.part.manner));
            }
            continue;
        };
        let (is_right, kind) = match fate.outcome() {
            Outcome::Delivered => (member.hook.has_delivered(event), 1),
            Outcome::Dead => (dead.contains(&pair), 2),
            Outcome::Cancelled => (member.part.manner == Manner::Deleted, 3),
            Outcome::Pending => (false, 0),
        };
        counts[kind] += 1;
        if !is_right {
            wrong.push(format!(
                "{event} for {:?} is only logged as {:?}",
                member.part.manner,
                fate.outcome()
            ));
        }
    }
    let [unmatched, delivered, dead, cancelled] = counts;
    println!(
        "chaos: of what met endpoints that were disabled or deleted some time, {delivered} were delivered, {dead} died, \
         {cancelled} were cancelled, {unmatched} not matched"
    );
    wrong
}
