//! The body that an endpoint receives, with the event's data byte for byte. Rendered once for each (event, envelope).
//!
//! Deliberately not here: which envelope an endpoint has, headers, and signing. Of what a producer's CloudEvent said
//! beyond an event's fields, `source` alone is kept: `subject`, `dataschema` and other extensions aren't carried.

use crate::{event::Event, ids};
use schemas::Delivery;
use serde::Serialize;
use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

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

impl Rendered {
    /// The delivery that has this body, before its first attempt: due at once, from the beginning of its schedule.
    pub fn delivery(&self, event: &Event, delivery_id: String, endpoint_id: String, matched_at_ms: i64) -> Delivery {
        Delivery {
            body: self.body.to_vec(),
            content_type: self.content_type.to_owned(),
            event_time_ms: event.timestamp_ms,
            matched_at_ms,
            source: event.source.clone(),
            // Requests always carry one.
            traceparent: Some(event.traceparent.clone().unwrap_or_else(|| ids::traceparent(&event.id))),
            ..Delivery::blank(delivery_id, &event.id, &event.tenant, endpoint_id, &event.event_type)
        }
    }
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
            match &event.cloud_source {
                Some(source) => field(&mut body, ",\"source\":", source),
                None => field(&mut body, ",\"source\":", &own_source(&event.tenant)),
            }
            field(&mut body, ",\"type\":", &event.event_type);
            field(&mut body, ",\"time\":", &event.occurred_at);
            field(
                &mut body,
                ",\"datacontenttype\":\"application/json\",\"tenant\":",
                &event.tenant,
            );
            data_field(&mut body, ",\"data\":", data);
        }
        Envelope::Raw => body.extend_from_slice(data.as_bytes()),
    }
    Rendered {
        body: body.into(),
        content_type: envelope.content_type(),
    }
}

/// `source` of an event whose producer stated none: a URI reference, the same for all of a tenant's events, so that
/// source and id together name the event (CloudEvents 1.0, "source"). Bytes that no path segment may hold are encoded.
fn own_source(tenant: &str) -> String {
    let mut source = "/hookline/".to_owned();
    for byte in tenant.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            source.push(char::from(byte));
        } else {
            write!(source, "%{byte:02X}").expect("a String takes everything");
        }
    }
    source
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
mod tests;
