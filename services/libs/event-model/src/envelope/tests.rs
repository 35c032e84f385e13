//! Bodies as the contract says, and CloudEvents as their specification says: by a schema made from its text, not from
//! the code.

use super::*;
use proptest::prelude::*;
use schemas::Source;
use serde_json::{Value, json, value::RawValue};

/// Numbers, key order and white space that no parser would give back.
const DATA: &str = r#"{"vaultId":"v", "n":1.0,"big":1e400,"é":"\u00e9"}"#;

fn event(id: &str, data: &str) -> Event {
    Event {
        id: id.to_owned(),
        tenant: "org_1".to_owned(),
        event_type: "vault.ingest.completed".to_owned(),
        occurred_at: "2026-11-21T10:00:00Z".to_owned(),
        data: RawValue::from_string(data.to_owned()).expect("the test's own JSON"),
        cloud_source: None,
        traceparent: None,
        timestamp_ms: 0,
        source: Source {
            topic: "events".to_owned(),
            partition: 0,
            offset: 1,
        },
    }
}

fn body(event: &Event, envelope: Envelope) -> String {
    String::from_utf8(render(event, envelope).body.to_vec()).expect("JSON is UTF-8")
}

#[test]
fn bodies_are_as_the_contract_says() {
    let event = event("evt_1", DATA);
    let standard = format!(
        r#"{{"id":"evt_1","type":"vault.ingest.completed","occurred_at":"2026-11-21T10:00:00Z","data":{DATA}}}"#
    );
    assert_eq!(body(&event, Envelope::Standard), standard);
    let payload = format!(r#"{{"event_type":"vault.ingest.completed","payload":{DATA}}}"#);
    assert_eq!(body(&event, Envelope::EventPayload), payload);
    assert_eq!(body(&event, Envelope::Raw), DATA);
    let cloud = format!(
        r#"{{"specversion":"1.0","id":"evt_1","source":"/hookline/org_1","type":"vault.ingest.completed","time":"2026-11-21T10:00:00Z","datacontenttype":"application/json","tenant":"org_1","data":{DATA}}}"#
    );
    assert_eq!(body(&event, Envelope::CloudEvents), cloud);
}

#[test]
fn content_types_are_as_the_contract_says() {
    let types = Envelope::ALL.map(|envelope| render(&event("e", "{}"), envelope).content_type);
    let json = "application/json";
    assert_eq!(types, [json, json, "application/cloudevents+json", json]);
}

#[test]
fn a_producers_own_source_is_kept() {
    let of_a_producer = Event {
        cloud_source: Some("https://example.com/\"vaults\"".to_owned()),
        ..event("evt_1", "{}")
    };
    let cloud: Value = serde_json::from_str(&body(&of_a_producer, Envelope::CloudEvents)).expect("JSON");
    assert_eq!(cloud["source"], "https://example.com/\"vaults\"");
}

#[test]
fn a_tenant_makes_a_uri_reference_whatever_its_name() {
    assert_eq!(own_source("org_1-a.b~c"), "/hookline/org_1-a.b~c");
    assert_eq!(own_source("a b/é"), "/hookline/a%20b%2F%C3%A9");
}

#[test]
fn names_are_read_back() {
    for envelope in Envelope::ALL {
        assert_eq!(envelope.as_str().parse(), Ok(envelope));
    }
    assert!("Standard".parse::<Envelope>().is_err());
}

/// CloudEvents 1.0.2, "Required attributes", "Optional attributes", "Attribute naming conventions", and the JSON format's
/// "Handling of data" (`data` and `data_base64` exclude each other).
fn cloud_events_schema() -> jsonschema::Validator {
    let text = json!({"type": "string", "minLength": 1});
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "required": ["id", "source", "specversion", "type"],
        "propertyNames": {"pattern": "^([a-z0-9]{1,20}|data_base64)$"},
        "properties": {
            "specversion": {"const": "1.0"},
            "id": text,
            "type": text,
            "source": {"type": "string", "minLength": 1, "format": "uri-reference"},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": text,
            "tenant": text,
            "data": true,
            "data_base64": false,
        },
        "additionalProperties": {"type": ["string", "integer", "boolean"]},
    });
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("the test's own schema")
}

#[test]
fn the_schema_knows_what_is_no_cloud_event() {
    let schema = cloud_events_schema();
    let sound = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {}});
    assert!(schema.is_valid(&sound));
    for (name, value) in [
        ("specversion", json!("0.3")),
        ("id", json!("")),
        ("source", json!("a b")),
        ("time", json!("yesterday")),
        ("tenantId", json!("t")),
        ("tenant", json!({})),
    ] {
        let mut broken = sound.clone();
        broken[name] = value;
        assert!(!schema.is_valid(&broken), "{broken}");
    }
}

proptest! {
    #[test]
    fn ids_are_escaped_and_every_body_is_json(id in ".{1,40}", tenant in "\\PC{1,20}") {
        let event = Event { tenant, ..event(&id, r#"{"a":[1]}"#) };
        let standard: Value = serde_json::from_str(&body(&event, Envelope::Standard)).expect("JSON");
        prop_assert_eq!(standard["id"].as_str(), Some(id.as_str()));
        let cloud: Value = serde_json::from_str(&body(&event, Envelope::CloudEvents)).expect("JSON");
        prop_assert_eq!(cloud["id"].as_str(), Some(id.as_str()));
        prop_assert_eq!(cloud["tenant"].as_str(), Some(event.tenant.as_str()));
        if let Err(error) = cloud_events_schema().validate(&cloud) {
            prop_assert!(false, "{} in {}", error, cloud);
        }
    }
}
