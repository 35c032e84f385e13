//! What is published: every type of every catalog, over and over, in all formats, to Kafka and by HTTP. Which of it is for
//! whom is `matcher`'s business.

use std::collections::BTreeSet;

use harness::publish::{Told, raw};
use schemas::samples;
use serde_json::{Value, json};

use crate::broken::{self, Broken};
use crate::cast::{CASELINE, COURTSIDE, HARBORVIEW, LEXORA};

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    HooklineJson,
    CloudEventBinary,
    CloudEventStructured,
    /// Goes to a source topic of its own, whose setting names format and tenant.
    EventPayload,
}

const WITH_TENANT: [Format; 3] = [
    Format::HooklineJson,
    Format::CloudEventBinary,
    Format::CloudEventStructured,
];
const VAULTS: [&str; 3] = ["vault_north", "vault_south", "vault_west"];
const PLATFORM_ROUNDS: usize = 8;
const CASE_EVENT_ROUNDS: usize = 150;
const CASES_ROUNDS: usize = 6;
/// For Courtside and Harborview.
const FURTHER_PLATFORM_ROUNDS: usize = 3;
/// In every four.
const ROUND_WITHOUT_IDS: usize = 3;
/// Members of the open families, which have no list of their own.
const FAMILY_MEMBERS: [&str; 6] = [
    "cases.tasks.created",
    "cases.tasks.completed",
    "cases.expenses.approved",
    "assignments.contacts.added",
    "assignments.billing-details.updated",
    "assignments.billing-details.lines.removed",
];

/// An event to publish.
#[derive(Debug, Clone)]
pub struct Planned {
    pub told: Told,
    pub format: Format,
    pub vault: Option<String>,
}

/// All that is published.
pub struct Plan {
    /// To Kafka, in this order, the broken records among them.
    pub events: Vec<Planned>,
    pub broken: Vec<Broken>,
    /// By HTTP.
    pub posted: Posted,
}

/// What is posted, each part by a tenant of its own.
pub struct Posted {
    /// One request each, without ids: the API makes them.
    pub singly: Vec<Planned>,
    /// As JSON lines.
    pub lines: Vec<Planned>,
    /// As a JSON array.
    pub array: Vec<Planned>,
}

impl Posted {
    pub fn len(&self) -> usize {
        self.singly.len() + self.lines.len() + self.array.len()
    }
}

impl Plan {
    /// Distinct types that go to Kafka.
    pub fn types(&self) -> usize {
        self.events
            .iter()
            .map(|event| event.told.event_type.as_str())
            .collect::<BTreeSet<_>>()
            .len()
    }
}

/// Always the same.
pub fn plan() -> Plan {
    let mut events = Vec::new();
    let platform = samples::event_types("platform");
    for round in 0..PLATFORM_ROUNDS {
        for format in WITH_TENANT {
            platform
                .iter()
                .for_each(|name| push(&mut events, LEXORA, name, format, round));
        }
    }
    let mut cases = samples::event_types("cases");
    cases.extend(FAMILY_MEMBERS.map(str::to_owned));
    for round in 0..CASES_ROUNDS {
        for format in WITH_TENANT {
            cases
                .iter()
                .for_each(|name| push(&mut events, COURTSIDE, name, format, round));
        }
    }
    for (round, format) in (0..FURTHER_PLATFORM_ROUNDS).zip(WITH_TENANT) {
        for tenant in [COURTSIDE, HARBORVIEW] {
            platform
                .iter()
                .for_each(|name| push(&mut events, tenant, name, format, round));
        }
    }
    for round in 0..CASE_EVENT_ROUNDS {
        for name in samples::event_types("case_events") {
            push(&mut events, CASELINE, &name, Format::EventPayload, round);
        }
    }
    Plan {
        posted: posted(events.len()),
        events: interleaved(events),
        broken: broken::records(),
    }
}

/// `number`: of the first of them.
fn posted(number: usize) -> Posted {
    let mut numbers = number..;
    let mut of = |tenant, catalog, round| {
        let types = samples::event_types(catalog).into_iter().zip(numbers.by_ref());
        let events = types.map(|(name, number)| planned(number, tenant, &name, Format::HooklineJson, round));
        events.collect()
    };
    Posted {
        singly: of(COURTSIDE, "cases", ROUND_WITHOUT_IDS),
        lines: of(LEXORA, "platform", 0),
        array: of(HARBORVIEW, "platform", 1),
    }
}

fn push(events: &mut Vec<Planned>, tenant: &str, event_type: &str, format: Format, round: usize) {
    events.push(planned(events.len(), tenant, event_type, format, round));
}

fn planned(number: usize, tenant: &str, event_type: &str, format: Format, round: usize) -> Planned {
    let mut data = samples::payload_for(event_type);
    let mut vault = None;
    if format != Format::EventPayload {
        vault = vary(&mut data, number, round);
    }
    // A producer may leave the id to Hookline, where the format has none or makes it optional.
    let has_id = format != Format::EventPayload && !(format == Format::HooklineJson && round % 4 == ROUND_WITHOUT_IDS);
    let told = Told {
        id: has_id.then(|| format!("evt_demo_{number:05}")),
        event_type: event_type.to_owned(),
        tenant: tenant.to_owned(),
        data: raw(&data),
    };
    Planned { told, format, vault }
}

/// Another vault, a number of its own, and now and then a property that no schema knows: it must pass.
fn vary(data: &mut Value, number: usize, round: usize) -> Option<String> {
    let object = data.as_object_mut()?;
    object.insert("demoNumber".to_owned(), json!(number));
    if round == 1 {
        object.insert(
            "unknownToTheSchema".to_owned(),
            json!({ "precise": 12_345_678_901_234_567_u64 }),
        );
    }
    let vault = VAULTS[(number + round) % VAULTS.len()];
    let known = object.get_mut("vaultId")?;
    *known = json!(vault);
    Some(vault.to_owned())
}

/// Tenants and types mixed, as they come in life: every 37th, from each beginning in turn.
fn interleaved(events: Vec<Planned>) -> Vec<Planned> {
    const STRIDE: usize = 37;
    let mut mixed: Vec<_> = events.into_iter().enumerate().collect();
    mixed.sort_by_key(|(index, _)| (index % STRIDE, *index));
    mixed.into_iter().map(|(_, event)| event).collect()
}

#[cfg(test)]
mod tests {
    //! What the demo promises to publish.
    use super::*;

    #[test]
    fn every_type_in_every_format_and_the_samples_unchanged() {
        let plan = plan();
        assert!(plan.events.len() >= 2_000, "{}", plan.events.len());
        let published = |name: &str, format| {
            plan.events
                .iter()
                .filter(|event| event.told.event_type == name && event.format == format)
                .count()
        };
        for name in samples::event_types("platform")
            .iter()
            .chain(&samples::event_types("cases"))
        {
            assert!(WITH_TENANT.iter().all(|format| published(name, *format) > 0), "{name}");
        }
        for name in samples::event_types("case_events") {
            let event = plan
                .events
                .iter()
                .find(|event| event.told.event_type == name)
                .expect("it is published");
            assert_eq!(event.told.data.get(), samples::payload_for(&name).to_string());
            assert_eq!(event.format, Format::EventPayload);
        }
    }

    #[test]
    fn ids_are_never_used_twice() {
        let plan = plan();
        let Posted { lines, array, .. } = &plan.posted;
        let all = plan.events.iter().chain(lines).chain(array);
        let ids: Vec<_> = all.filter_map(|event| event.told.id.clone()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }
}
