//! The body that an endpoint receives, with the event's data byte for byte. Rendered once for each (event, envelope).
//!
//! Deliberately not here: which envelope an endpoint has, headers, and signing.

use crate::event::Event;
use serde::Serialize;
use std::{fmt, str::FromStr};

/// Shape of the request body (http-api: "Delivery to endpoints").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Envelope {
    /// `{"id","type","occurred_at","data"}`
    #[default]
    Standard,
    /// `{"event_type","payload"}` and nothing else
    EventPayload,
    /// CloudEvents 1.0, structured JSON
    CloudEvents,
    /// the data alone
    Raw,
}

impl Envelope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Standard, Self::EventPayload, Self::CloudEvents, Self::Raw];

    /// Its name in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::EventPayload => "event_payload",
            Self::CloudEvents => "cloudevents",
            Self::Raw => "raw",
        }
    }

    /// The content type of its bodies.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::CloudEvents => "application/cloudevents+json",
            Self::Standard | Self::EventPayload | Self::Raw => "application/json",
        }
    }
}

impl fmt::Display for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that no envelope has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown envelope `{0}`; use standard, event_payload, cloudevents or raw")]
pub struct UnknownEnvelope(String);

impl FromStr for Envelope {
    type Err = UnknownEnvelope;
    fn from_str(name: &str) -> Result<Self, UnknownEnvelope> {
        Self::ALL
            .into_iter()
            .find(|e| e.as_str() == name)
            .ok_or_else(|| UnknownEnvelope(name.to_owned()))
    }
}

/// A request body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Shared: the same event goes to many endpoints.
    pub body: bytes::Bytes,
    pub content_type: &'static str,
}

/// Renders the body that endpoints with this envelope receive.
pub fn render(event: &Event, envelope: Envelope) -> Rendered {
    let data = event.data.get();
    let mut body = Vec::with_capacity(data.len() + 256);
    match envelope {
        Envelope::Standard => {
            field(&mut body, "{\"id\":", &event.id);
            field(&mut body, ",\"type\":", &event.event_type);
            field(&mut body, ",\"occurred_at\":", &event.occurred_at);
            data_field(&mut body, ",\"data\":", data);
        }
        Envelope::EventPayload => {
            field(&mut body, "{\"event_type\":", &event.event_type);
            data_field(&mut body, ",\"payload\":", data);
        }
        Envelope::CloudEvents => {
            field(&mut body, "{\"specversion\":\"1.0\",\"id\":", &event.id);
            body.extend_from_slice(b",\"source\":\"hookline\"");
            field(&mut body, ",\"type\":", &event.event_type);
            field(&mut body, ",\"time\":", &event.occurred_at);
            body.extend_from_slice(b",\"datacontenttype\":\"application/json\"");
            data_field(&mut body, ",\"data\":", data);
        }
        Envelope::Raw => body.extend_from_slice(data.as_bytes()),
    }
    Rendered {
        body: body.into(),
        content_type: envelope.content_type(),
    }
}

fn field(body: &mut Vec<u8>, before: &str, value: &impl Serialize) {
    body.extend_from_slice(before.as_bytes());
    serde_json::to_writer(body, value).expect("a string serializes into memory");
}

fn data_field(body: &mut Vec<u8>, before: &str, data: &str) {
    body.extend_from_slice(before.as_bytes());
    body.extend_from_slice(data.as_bytes());
    body.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use schemas::Source;
    use serde_json::{Value, value::RawValue};

    fn event(id: &str, data: &str) -> Event {
        Event {
            id: id.to_owned(),
            tenant: "org_1".to_owned(),
            event_type: "vault.ingest.completed".to_owned(),
            occurred_at: "2026-11-21T10:00:00Z".to_owned(),
            data: RawValue::from_string(data.to_owned()).expect("the test's own JSON"),
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
        let event = event("evt_1", r#"{"vaultId":"v", "n":1.0,"big":1e400}"#);
        let data = event.data.get();
        let standard = format!(
            r#"{{"id":"evt_1","type":"vault.ingest.completed","occurred_at":"2026-11-21T10:00:00Z","data":{data}}}"#
        );
        assert_eq!(body(&event, Envelope::Standard), standard);
        let payload = format!(r#"{{"event_type":"vault.ingest.completed","payload":{data}}}"#);
        assert_eq!(body(&event, Envelope::EventPayload), payload);
        assert_eq!(body(&event, Envelope::Raw), data);
        let cloud = format!(
            r#"{{"specversion":"1.0","id":"evt_1","source":"hookline","type":"vault.ingest.completed","time":"2026-11-21T10:00:00Z","datacontenttype":"application/json","data":{data}}}"#
        );
        assert_eq!(body(&event, Envelope::CloudEvents), cloud);
    }

    #[test]
    fn names_are_read_back() {
        for envelope in Envelope::ALL {
            assert_eq!(envelope.as_str().parse(), Ok(envelope));
        }
        assert!("Standard".parse::<Envelope>().is_err());
    }

    proptest! {
        #[test]
        fn ids_are_escaped_and_every_body_is_json(id in ".{1,40}") {
            let event = event(&id, r#"{"a":[1]}"#);
            let standard: Value = serde_json::from_str(&body(&event, Envelope::Standard)).expect("JSON");
            prop_assert_eq!(standard["id"].as_str(), Some(id.as_str()));
            let cloud: Value = serde_json::from_str(&body(&event, Envelope::CloudEvents)).expect("JSON");
            prop_assert_eq!(cloud["id"].as_str(), Some(id.as_str()));
        }
    }
}
