//! Sample payloads of the catalog's types, for the demo, tests and test sends: deterministic, and valid by the type's
//! payload schema. And a sample delivery, for tests.

use crate::{Delivery, Source};
use serde_json::{Map, Value, json};
use std::{collections::HashMap, sync::LazyLock};

/// A payload of this type, with every property that its schema names. The case events get their system's own sample; a
/// type below an open family, or an unknown one, a small object with an id.
pub fn payload_for(event_type: &str) -> Value {
    static BY_TYPE: LazyLock<HashMap<String, Value>> = LazyLock::new(all);
    BY_TYPE.get(event_type).cloned().unwrap_or_else(|| loose(event_type))
}

/// A delivery of event `evt_{number}` before its first attempt, as fan-out makes it at the beginning of Unix time.
pub fn delivery(number: usize, tenant: &str, endpoint_id: &str) -> Delivery {
    let (delivery_id, event_id) = (format!("dlv_{number:026}"), format!("evt_{number}"));
    let event_type = "vault.ingest.completed";
    Delivery {
        body: format!("{{\"number\": {number}}}").into_bytes(),
        content_type: "application/json".to_owned(),
        source: Source {
            topic: "events".to_owned(),
            partition: 0,
            offset: 7,
        },
        ..Delivery::blank(delivery_id, &event_id, tenant, endpoint_id.to_owned(), event_type)
    }
}

/// The names of all built-in types (families left out), by catalog in the order of the files.
pub fn event_types(catalog: &str) -> Vec<String> {
    let Some((_, text)) = crate::catalogs::all().into_iter().find(|(name, _)| *name == catalog) else {
        return Vec::new();
    };
    types(text)
        .iter()
        .filter(|t| t["open_family"] != true)
        .map(name)
        .collect()
}

fn all() -> HashMap<String, Value> {
    let mut samples: HashMap<_, _> = types(crate::catalogs::platform())
        .iter()
        .map(|event_type| (name(event_type), object("", &event_type["payload_schema"])))
        .collect();
    let case_events: Value =
        serde_json::from_str(crate::catalogs::case_event_samples()).expect("the compiled-in samples are JSON");
    for sample in case_events["samples"].as_array().into_iter().flatten() {
        samples.insert(
            sample["event_type"].as_str().unwrap_or_default().to_owned(),
            sample["payload"].clone(),
        );
    }
    samples
}

fn types(catalog: &str) -> Vec<Value> {
    let mut catalog: Value = serde_json::from_str(catalog).expect("the compiled-in catalogs are JSON");
    match catalog["types"].take() {
        Value::Array(types) => types,
        _ => Vec::new(),
    }
}

fn name(event_type: &Value) -> String {
    event_type["type"].as_str().unwrap_or_default().to_owned()
}

fn loose(event_type: &str) -> Value {
    json!({"id": format!("{event_type}-1"), "note": "a sample"})
}

fn object(path: &str, schema: &Value) -> Value {
    let properties = schema["properties"].as_object();
    let members = properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.clone(), value(name, schema)));
    let members: Map<String, Value> = members.collect();
    if members.is_empty() && !path.is_empty() {
        json!({"id": format!("{path}-1")})
    } else {
        Value::Object(members)
    }
}

fn value(name: &str, schema: &Value) -> Value {
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    let type_name = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match type_name {
        Some("string") => text(name).into(),
        Some("number") => number(name),
        Some("boolean") => true.into(),
        Some("array") => json!([value(name, &schema["items"])]),
        Some("object") => object(name, schema),
        _ => Value::Null,
    }
}

fn text(name: &str) -> String {
    match name {
        "currency" => "USD".to_owned(),
        "url" => "https://example.com/hooks".to_owned(),
        "filename" => "contract.pdf".to_owned(),
        "mimeType" => "application/pdf".to_owned(),
        "lastFailureAt" => "2026-11-21T10:00:00Z".to_owned(),
        _ => format!("{name}-1"),
    }
}

fn number(name: &str) -> Value {
    match name {
        "confidence" => json!(0.97),
        "deltaCents" => json!(-250),
        _ => json!(name.len() * 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_type_has_a_sample_with_its_required_fields() {
        for event_type in types(crate::catalogs::platform()) {
            let sample = payload_for(&name(&event_type));
            for required in event_type["payload_schema"]["required"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let required = required.as_str().expect("a name");
                assert!(
                    sample.get(required).is_some_and(|v| !v.is_null()),
                    "{event_type} lacks {required}"
                );
            }
        }
    }

    #[test]
    fn case_events_have_their_own_samples() {
        assert_eq!(payload_for("case.created")["status"]["id"], "UNDER_MANUAL_REVIEW");
        assert!(payload_for("case.status_updated")["status_history"].is_array());
    }

    #[test]
    fn catalogs_have_the_types_of_the_contract() {
        assert_eq!(event_types("platform").len(), 53);
        assert_eq!(event_types("case_events"), ["case.created", "case.status_updated"]);
        assert_eq!(event_types("cases").len(), 11);
        assert!(event_types("nobody's").is_empty());
    }
}
