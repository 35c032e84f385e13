//! The index against a naive scan, and the rules one by one.

use super::*;
use crate::filter::Filter;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn subscription(id: &str, tenant: &str, filters: &[&str]) -> Subscription {
    Subscription {
        endpoint_id: id.into(),
        tenant: tenant.into(),
        filters: filters
            .iter()
            .map(|text| Filter::parse(text).expect("well-formed"))
            .collect(),
        scopes: vec!["vault".to_owned()].into(),
        vault_ids: None,
        matter_ids: None,
        created_at_ms: 1_000,
    }
}

fn event<'a>(tenant: &'a str, event_type: &'a str) -> EventFacts<'a> {
    EventFacts {
        tenant,
        event_type,
        required_scope: None,
        resource: Resource::None,
        timestamp_ms: 1_000,
    }
}

fn ids(index: &Index, event: &EventFacts<'_>) -> Vec<String> {
    index.matches(event, 5_000).iter().map(ToString::to_string).collect()
}

fn index(subscriptions: impl IntoIterator<Item = Subscription>) -> Index {
    let mut index = Index::new();
    subscriptions
        .into_iter()
        .for_each(|subscription| index.insert(subscription));
    index
}

#[test]
fn each_kind_of_filter_finds_its_types_and_nobody_twice() {
    let index = index([
        subscription("exact", "t", &["vault.ingest.completed"]),
        subscription(
            "prefix",
            "t",
            &["vault.ingest.*", "vault.*", "*", "vault.ingest.completed"],
        ),
        subscription("all", "t", &["*"]),
        subscription("other", "t", &["vault.upload.*"]),
    ]);
    assert_eq!(
        ids(&index, &event("t", "vault.ingest.completed")),
        ["all", "exact", "prefix"]
    );
    assert_eq!(ids(&index, &event("t", "vault")), ["all", "prefix"]);
    assert_eq!(
        ids(&index, &event("t", "vault.upload.failed")),
        ["all", "other", "prefix"]
    );
    assert!(ids(&index, &event("u", "vault")).is_empty());
}

#[test]
fn neither_wildcards_nor_names_reach_beyond_the_scopes_invariant_6() {
    let index = index([subscription("a", "t", &["*"]), subscription("b", "t", &["legal.done"])]);
    let legal = EventFacts {
        required_scope: Some("legal"),
        ..event("t", "legal.done")
    };
    assert!(ids(&index, &legal).is_empty());
    let vault = EventFacts {
        required_scope: Some("vault"),
        ..event("t", "legal.done")
    };
    assert_eq!(ids(&index, &vault), ["a", "b"]);
}

#[test]
fn a_resource_scope_lets_only_listed_resources_pass() {
    let set = |ids: &[&str]| Some(ids.iter().copied().collect::<Ids>());
    let index = index([
        subscription("open", "t", &["*"]),
        Subscription {
            vault_ids: set(&["v1"]),
            ..subscription("vault", "t", &["*"])
        },
        Subscription {
            matter_ids: set(&["m1"]),
            ..subscription("matter", "t", &["*"])
        },
        Subscription {
            vault_ids: set(&["v1"]),
            matter_ids: set(&["m1"]),
            ..subscription("both", "t", &["*"])
        },
        Subscription {
            vault_ids: set(&[]),
            ..subscription("none", "t", &["*"])
        },
    ]);
    let found = |resource| {
        ids(
            &index,
            &EventFacts {
                resource,
                ..event("t", "x")
            },
        )
    };
    assert_eq!(found(Resource::Vault(Some("v1"))), ["both", "open", "vault"]);
    assert_eq!(found(Resource::Vault(Some("v2"))), ["open"]);
    assert_eq!(found(Resource::Vault(None)), ["open"]);
    assert_eq!(found(Resource::Matter(Some("m1"))), ["both", "matter", "open"]);
    assert_eq!(found(Resource::Matter(Some("v1"))), ["open"]);
    assert_eq!(found(Resource::None), ["open"]);
}

#[test]
fn events_older_than_the_endpoint_are_not_for_it() {
    let index = index([subscription("a", "t", &["*"])]);
    let at = |timestamp_ms| EventFacts {
        timestamp_ms,
        ..event("t", "x")
    };
    assert_eq!(index.matches(&at(900), 100).len(), 1);
    assert_eq!(index.matches(&at(899), 100).len(), 0);
    assert_eq!(index.matches(&at(i64::MAX), 100).len(), 1);
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let mut index = index([subscription("a", "t", &["vault.*"])]);
    let snapshot = index.clone();
    index.insert(subscription("b", "t", &["vault.*"]));
    index.insert(subscription("a", "u", &["vault.*"]));
    assert_eq!(ids(&snapshot, &event("t", "vault.x")), ["a"]);
    assert_eq!(ids(&index, &event("t", "vault.x")), ["b"]);
    assert_eq!(ids(&index, &event("u", "vault.x")), ["a"]);
}

#[test]
fn what_is_removed_leaves_nothing_behind() {
    let mut index = index([
        subscription("a", "t", &["vault.a.b.*", "vault.x", "*"]),
        subscription("b", "t", &["vault.a.*"]),
    ]);
    index.remove("a");
    assert_eq!(
        (ids(&index, &event("t", "vault.a.b.c")), index.len()),
        (vec!["b".to_owned()], 1)
    );
    index.remove("b");
    index.remove("b");
    assert!(index.is_empty() && index.tenants.is_empty() && index.scopes.len() == 0);
}

#[test]
fn many_at_one_place_are_found_while_they_come_and_go() {
    let mut index = Index::new();
    let id = |n: usize| format!("wh_{n:02}");
    for n in 0..50 {
        index.insert(subscription(&id(n), "t", &["*", "vault.*", "vault.x"]));
        let expected: Vec<_> = (0..=n).map(id).collect();
        assert_eq!(ids(&index, &event("t", "vault.x")), expected);
    }
    for n in 0..50 {
        let expected: Vec<_> = (n..50).map(id).collect();
        assert_eq!(ids(&index, &event("t", "vault.x")), expected);
        index.remove(&id(n));
    }
    assert!(index.is_empty() && index.tenants.is_empty() && index.scopes.len() == 0);
}

#[test]
fn scoped_endpoints_are_found_by_the_rarer_of_type_and_resource() {
    let of = |id: String, filter: &str, vaults: &[&str]| Subscription {
        vault_ids: Some(vaults.iter().copied().collect()),
        ..subscription(&id, "t", &[filter])
    };
    let same_type = (0..30).map(|n| of(format!("type_{n:02}"), "vault.*", &[&format!("v{n}"), "rare"]));
    let same_vault = (0..30).map(|n| of(format!("vault_{n:02}"), &format!("name.n{n}"), &["common"]));
    let index = index(same_type.chain(same_vault));
    let found = |event_type, vault| {
        let resource = Resource::Vault(Some(vault));
        ids(
            &index,
            &EventFacts {
                resource,
                ..event("t", event_type)
            },
        )
    };
    assert_eq!(found("vault.x", "v7"), ["type_07"]);
    assert_eq!(found("name.n7", "common"), ["vault_07"]);
    assert_eq!(found("vault.x", "rare").len(), 30);
    assert!(found("vault.x", "common").is_empty() && found("name.n7", "rare").is_empty());
    let unknown = EventFacts {
        resource: Resource::Vault(None),
        ..event("t", "vault.x")
    };
    assert!(ids(&index, &unknown).is_empty());
}

/// The rules as http-api.md states them, one after the other, for each endpoint.
fn matches_naive(all: &BTreeMap<String, Subscription>, event: &EventFacts<'_>, tolerance_ms: i64) -> Vec<String> {
    let passes = |subscription: &Subscription| {
        let named = subscription
            .filters
            .iter()
            .any(|filter| filter.covers(event.event_type));
        let scoped = match event.required_scope {
            None => true,
            Some(scope) => subscription.scopes.contains(&scope.to_owned()),
        };
        let resource = match (&subscription.vault_ids, &subscription.matter_ids, event.resource) {
            (None, None, _) => true,
            (Some(vaults), _, Resource::Vault(Some(id))) => vaults.contains(id),
            (_, Some(matters), Resource::Matter(Some(id))) => matters.contains(id),
            _ => false,
        };
        *subscription.tenant == *event.tenant
            && named
            && scoped
            && resource
            && subscription.created_at_ms - event.timestamp_ms <= tolerance_ms
    };
    all.iter()
        .filter(|(_, subscription)| passes(subscription))
        .map(|(id, _)| id.clone())
        .collect()
}

fn name() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "ab"]), 1..4).prop_map(|segments| segments.join("."))
}

fn filter() -> impl Strategy<Value = Filter> {
    prop_oneof![4 => name().prop_map(|name| Filter::Exact(name.into())), 3 => name().prop_map(|name| Filter::Prefix(name.into())), 1 => Just(Filter::All)]
}

fn id_list() -> impl Strategy<Value = Option<Ids>> {
    prop::option::weighted(0.4, prop::collection::vec("[12]", 0..3).prop_map(Ids::from_iter))
}

/// Enough for several dozen at one place, few enough to be replaced often.
const IDS: u8 = 60;

fn any_subscription() -> impl Strategy<Value = Subscription> {
    let scopes = prop::sample::subsequence(vec!["vault".to_owned(), "legal".to_owned()], 0..=2);
    let filters = prop::collection::vec(filter(), 1..4);
    (0..IDS, 0..2_u8, filters, scopes, id_list(), id_list(), 0..20_i64).prop_map(
        |(id, tenant, filters, scopes, vault_ids, matter_ids, created_at_ms)| Subscription {
            endpoint_id: format!("wh_{id:02}").into(),
            tenant: format!("org_{tenant}").into(),
            filters: filters.into(),
            scopes: scopes.into(),
            vault_ids,
            matter_ids,
            created_at_ms,
        },
    )
}

#[derive(Debug, Clone)]
enum Step {
    Insert(Subscription),
    Remove(u8),
    /// From here on an older index is kept, which nothing may change.
    Snapshot,
    Event {
        tenant: u8,
        event_type: String,
        scope: Option<&'static str>,
        resource: u8,
        id: Option<&'static str>,
        at: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let scope = prop::option::of(prop::sample::select(vec!["vault", "legal"]));
    let id = prop::option::of(prop::sample::select(vec!["1", "2"]));
    prop_oneof![
        3 => any_subscription().prop_map(Step::Insert),
        1 => Just(Step::Snapshot),
        1 => (0..IDS).prop_map(Step::Remove),
        4 => (0..2_u8, name(), scope, 0..3_u8, id, 0..20_i64).prop_map(|(tenant, event_type, scope, resource, id, at)| {
            Step::Event { tenant, event_type, scope, resource, id, at }
        }),
    ]
}

/// The index, and what it should be.
type Both = (Index, BTreeMap<String, Subscription>);

fn check((index, all): &Both, event: &EventFacts<'_>) -> Result<(), TestCaseError> {
    let found: Vec<String> = index.matches(event, 3).iter().map(ToString::to_string).collect();
    let is_for = |of: &&Subscription| &*of.tenant == event.tenant && of.mismatch(event, 3).is_none();
    let asked_one_by_one: Vec<String> = all
        .values()
        .filter(is_for)
        .map(|of| of.endpoint_id.to_string())
        .collect();
    prop_assert_eq!(&asked_one_by_one, &found);
    prop_assert_eq!(found, matches_naive(all, event, 3));
    prop_assert_eq!(index.len(), all.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// Invariant 6 among the rest: what the index finds is the tenant's own.
    #[test]
    fn equals_a_naive_scan(steps in prop::collection::vec(step(), 1..300)) {
        let (mut now, mut snapshot) = (Both::default(), Both::default());
        for step in steps {
            match step {
                Step::Insert(subscription) => {
                    now.1.insert(subscription.endpoint_id.to_string(), subscription.clone());
                    now.0.insert(subscription);
                }
                Step::Remove(id) => {
                    let id = format!("wh_{id:02}");
                    now.1.remove(&id);
                    now.0.remove(&id);
                }
                Step::Snapshot => snapshot = now.clone(),
                Step::Event { tenant, event_type, scope, resource, id, at } => {
                    let tenant = format!("org_{tenant}");
                    let resource = match resource {
                        0 => Resource::None,
                        1 => Resource::Vault(id),
                        _ => Resource::Matter(id),
                    };
                    let event = EventFacts {
                        tenant: &tenant, event_type: &event_type, required_scope: scope, resource, timestamp_ms: at,
                    };
                    check(&now, &event)?;
                    check(&snapshot, &event)?;
                }
            }
        }
        for id in now.1.keys() {
            now.0.remove(id);
        }
        prop_assert!(now.0.is_empty() && now.0.tenants.is_empty() && now.0.scopes.len() == 0);
    }
}
