//! A plain producer's side: records in every accepted format, as any Kafka client would write them.

use kafka_log::Outgoing;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// What a producer wants to tell.
#[derive(Debug, Clone)]
pub struct Told {
    /// Left out: Hookline makes one of the record's position.
    pub id: Option<String>,
    pub event_type: String,
    pub tenant: String,
    /// Sent byte for byte.
    pub data: Box<RawValue>,
}

impl Told {
    /// An event with this id.
    pub fn new(id: &str, event_type: &str, tenant: &str, data: &Value) -> Self {
        Self {
            id: Some(id.to_owned()),
            event_type: event_type.to_owned(),
            tenant: tenant.to_owned(),
            data: raw(data),
        }
    }

    /// `{"id","type","tenant","data"}`
    pub fn hookline_json(&self, topic: &str) -> Outgoing {
        let mut value = json!({ "type": self.event_type, "tenant": self.tenant });
        if let Some(id) = &self.id {
            value["id"] = json!(id);
        }
        plain(
            topic,
            &self.event_type,
            with_data(&value, "data", &self.data),
            Vec::new(),
        )
    }

    /// CloudEvents 1.0, structured.
    pub fn cloud_event_structured(&self, topic: &str) -> Outgoing {
        let value = json!({
            "specversion": "1.0", "id": self.id, "source": "/producers/demo", "type": self.event_type,
            "tenant": self.tenant, "datacontenttype": "application/json",
        });
        let headers = vec![header("content-type", "application/cloudevents+json")];
        plain(topic, &self.event_type, with_data(&value, "data", &self.data), headers)
    }

    /// CloudEvents 1.0, binary: attributes in headers, the value is the data.
    pub fn cloud_event_binary(&self, topic: &str) -> Outgoing {
        let headers = vec![
            header("ce_specversion", "1.0"),
            header("ce_id", self.id.as_deref().unwrap_or_default()),
            header("ce_source", "/producers/demo"),
            header("ce_type", &self.event_type),
            header("ce_tenant", &self.tenant),
            header("content-type", "application/json"),
        ];
        plain(topic, &self.event_type, self.data.get().as_bytes().to_vec(), headers)
    }

    /// `{"event_type","payload"}`: neither id nor tenant; the source's setting names the tenant.
    pub fn event_payload(&self, topic: &str) -> Outgoing {
        let value = json!({ "event_type": self.event_type });
        plain(
            topic,
            &self.event_type,
            with_data(&value, "payload", &self.data),
            Vec::new(),
        )
    }
}

/// JSON as it will be sent.
pub fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).expect("a JSON value prints as JSON")
}

/// A record with a key and these headers; the client chooses its partition.
pub fn plain(topic: &str, key: &str, value: Vec<u8>, headers: Vec<(String, Vec<u8>)>) -> Outgoing {
    Outgoing {
        topic: topic.to_owned(),
        partition: None,
        key: Some(key.as_bytes().to_vec()),
        value: Some(value),
        headers,
    }
}

/// A record's header.
pub fn header(name: &str, value: &str) -> (String, Vec<u8>) {
    (name.to_owned(), value.as_bytes().to_vec())
}

/// The object with one more member, whose bytes are kept.
fn with_data(object: &Value, name: &str, data: &RawValue) -> Vec<u8> {
    let mut text = object.to_string();
    text.pop();
    format!("{text},\"{name}\":{}}}", data.get()).into_bytes()
}
