//! The built-in catalogs are what the contract says, added types layer over them, and contracts judge payloads.

use super::*;
use crate::contract;
use serde_json::{Value, value::RawValue};

fn catalogs(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).expect("JSON")
}

fn text(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("JSON")
}

fn added(name: &str, schema: &str) -> EventType {
    EventType {
        name: name.to_owned(),
        catalog: None,
        stability: "stable".to_owned(),
        required_scope: None,
        resource: None,
        description: String::new(),
        payload_schema: schema.to_owned(),
        updated_at_ms: 0,
    }
}

#[test]
fn the_platform_catalog_is_complete() {
    let all = Catalogs::builtin();
    let platform = all.list(&catalogs(&["platform"]));
    assert_eq!(platform.len(), 53);
    assert_eq!(platform.iter().filter(|info| info.is_stable()).count(), 25);
    assert!(
        platform
            .iter()
            .all(|info| !info.description.is_empty() && !info.open_family)
    );
    let without_resource = ["ocr.job.created", "voice.transcription.completed"];
    for name in without_resource {
        assert_eq!(all.find(&catalogs(&["platform"]), name).expect(name).resource, None);
    }
    assert_eq!(all.list(&catalogs(&["case_events", "cases"])).len(), 2 + 11 + 4);
}

#[test]
fn every_builtin_contract_compiles_and_accepts_its_sample() {
    let all = Catalogs::builtin();
    let tenant = catalogs(&["platform", "case_events", "cases"]);
    for info in all.list(&tenant) {
        info.contract()
            .compiled()
            .unwrap_or_else(|e| panic!("{}: {e}", info.name));
        let sample = schemas::samples::payload_for(&info.name);
        assert_eq!(contract::check(info, &raw(&sample)), Ok(()), "{}", info.name);
    }
}

#[test]
fn a_tenant_sees_its_catalogs_only() {
    let all = Catalogs::builtin();
    assert!(all.find(&catalogs(&["cases"]), "matter.created").is_none());
    assert!(all.find(&catalogs(&["platform"]), "case.created").is_none());
    assert!(all.find(&[], "matter.created").is_none());
}

#[test]
fn open_families_hold_any_type_below_them() {
    let all = Catalogs::builtin();
    let cases = catalogs(&["cases"]);
    for name in [
        "cases.tasks.created",
        "cases.tasks.a.b.c",
        "assignments.billing-details.updated",
    ] {
        assert!(all.find(&cases, name).expect(name).open_family, "{name}");
    }
    for name in [
        "cases.tasks",
        "cases.tasks.*",
        "cases.tasksx.created",
        "cases.invented",
        "assignments.x",
        "cases",
        "*",
        "",
    ] {
        assert!(all.find(&cases, name).is_none(), "{name}");
    }
    assert!(!all.find(&cases, "cases.created").expect("a type").open_family);
    assert!(all.find(&catalogs(&["platform"]), "cases.tasks.created").is_none());
}

#[test]
fn added_types_layer_over_the_builtin_ones() {
    let mut own = added("matter.created", r#"{"type":"object","required":["x"]}"#);
    own.catalog = Some("platform".to_owned());
    own.resource = Some("vault".to_owned());
    let (all, errors) = Catalogs::with_added(&[own, added("invoice.paid", "{}"), added("broken", "7")]);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].name, "broken");
    assert_eq!(
        all.find(&catalogs(&["platform"]), "matter.created")
            .expect("a type")
            .resource,
        Some(Resource::Vault)
    );
    assert!(
        all.find(&[], "invoice.paid").is_some(),
        "without a catalog it is every tenant's"
    );
    assert_eq!(all.list(&catalogs(&["platform"])).len(), 54);
}

#[test]
fn unusable_types_are_refused_with_the_reason() {
    let mut unstable = added("a.b", "{}");
    unstable.stability = "alpha".to_owned();
    let mut resource = added("a.b", "{}");
    resource.resource = Some("room".to_owned());
    for (event_type, words) in [
        (unstable, "stable or beta"),
        (resource, "vault or matter"),
        (added("a.*", "{}"), "the name"),
        (added("a.b", "{"), "not JSON"),
        (added("a.b", r#"{"type":"strnig"}"#), "unusable"),
        (added("a.b", r#"{"$ref":"http://127.0.0.1:1/schema.json"}"#), "unusable"),
        (added("a.b", r#"{"$ref":"file:///etc/hostname"}"#), "unusable"),
        (added("a.b", r#"{"properties":{"x":{"pattern":"("}}}"#), "unusable"),
    ] {
        let error = TypeInfo::try_from(&event_type).expect_err(words);
        assert!(error.message.contains(words), "{}", error.message);
    }
}

#[test]
fn a_contract_names_what_is_wrong_without_quoting_it() {
    let all = Catalogs::builtin();
    let info = all
        .find(&catalogs(&["platform"]), "vault.upload.completed")
        .expect("a type");
    let data = text(r#"{"vaultId":"v","objectId":4711,"filename":"f","mimeType":"m","more":1}"#);
    let violations = contract::check(info, &data).expect_err("two mistakes");
    assert_eq!(violations.len(), 2, "{violations:?}");
    assert!(violations.iter().any(|v| v.path == "/objectId"));
    assert!(
        violations
            .iter()
            .any(|v| v.path.is_empty() && v.message.contains("sizeBytes"))
    );
    assert!(
        violations.iter().all(|v| !v.to_string().contains("4711")),
        "{violations:?}"
    );
}

#[test]
fn unknown_properties_and_literal_types_are_judged_as_the_catalog_says() {
    let all = Catalogs::builtin();
    let platform = catalogs(&["platform"]);
    let reused = all.find(&platform, "voice.transcription.reused").expect("a type");
    let data = |cache: &str| {
        text(&format!(
            r#"{{"jobId":"j","objectId":"o","mode":"vault","from_cache":{cache},"new":[1]}}"#
        ))
    };
    assert_eq!(contract::check(reused, &data("true")), Ok(()));
    assert!(contract::check(reused, &data("false")).is_err());
    let scope = all.find(&platform, "agent.scope.reused").expect("a type");
    assert_eq!(
        contract::check(scope, &text(r#"{"chatId":"c","vaultIds":null,"matterIds":["m"]}"#)),
        Ok(())
    );
    assert!(contract::check(scope, &text(r#"{"chatId":"c","vaultIds":[1]}"#)).is_err());
}

#[test]
fn what_no_schema_can_judge_breaks_a_contract_but_passes_a_loose_one() {
    let all = Catalogs::builtin();
    let tenant = catalogs(&["platform", "cases"]);
    let odd = text(r#"{"balanceCents":1e400,"deltaCents":0}"#);
    assert!(contract::check(all.find(&tenant, "balance.changed").expect("a type"), &odd).is_err());
    let loose = all.find(&tenant, "cases.created").expect("a type");
    assert_eq!(contract::check(loose, &odd), Ok(()));
    assert!(contract::check(loose, &text("[]")).is_err());
}

#[test]
fn the_resource_is_the_catalogs_word() {
    let all = Catalogs::builtin();
    let platform = catalogs(&["platform"]);
    let of = |name: &str, data: &str| all.find(&platform, name).expect(name).resource_id(&text(data));
    let both = r#"{"vaultId":"v1","matterId":"m1","n":1e400}"#;
    assert_eq!(
        of("vault.ingest.failed", both),
        Some((Resource::Vault, "v1".to_owned()))
    );
    assert_eq!(of("matter.updated", both), Some((Resource::Matter, "m1".to_owned())));
    assert_eq!(of("ocr.job.failed", both), None);
    for data in ["{}", "[]", r#"{"vaultId":7}"#, r#"{"vaultId":null}"#, "3"] {
        assert_eq!(of("vault.ingest.failed", data), None, "{data}");
    }
}
