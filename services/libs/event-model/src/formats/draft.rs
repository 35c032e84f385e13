//! What a format found in a record, and the checks that all formats share.

use super::{ParseError, SourceRecord, SourceSettings, TenantFrom, headers::Headers, trace_context};
use crate::{event::Event, ids, json_shape};
use schemas::Source;
use serde_json::value::RawValue;
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

/// A field's text, `None` when it is absent or null, or what is wrong with it.
pub(super) type Text = Result<Option<String>, String>;

/// The fields of an event, as they were found.
pub(super) struct Draft<'a> {
    pub(super) id: Text,
    pub(super) event_type: Text,
    pub(super) tenant: Text,
    pub(super) occurred_at: Text,
    pub(super) data: Result<&'a RawValue, String>,
    pub(super) traceparent: Option<String>,
    /// Of CloudEvents alone.
    pub(super) cloud_source: Text,
    pub(super) names: Names,
}

/// What the format calls the fields, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub(super) id: &'static str,
    pub(super) event_type: &'static str,
    pub(super) tenant: &'static str,
    pub(super) occurred_at: &'static str,
    pub(super) data: &'static str,
}

/// Longest tenant, type and time.
const MAX_TENANT_CHARS: usize = 128;
const MAX_TYPE_CHARS: usize = 128;
const MAX_TIME_CHARS: usize = 64;
/// Longest event id (http-api: "Answers").
const MAX_ID_CHARS: usize = 256;
/// Longest `source` of a CloudEvent: with it, too, an envelope stays small.
const MAX_SOURCE_CHARS: usize = 512;

impl Draft<'_> {
    /// Checks the fields and makes the event.
    pub(super) fn finish(
        self,
        record: &SourceRecord<'_>,
        headers: &Headers<'_>,
        settings: &SourceSettings,
    ) -> Result<Event, ParseError> {
        let names = self.names;
        let event_type = self.event_type.and_then(|text| required(text, names.event_type)).and_then(|text| {
            let name = names.event_type;
            is_type_name(&text).then_some(text).ok_or(format!(
                "`{name}` must be names of letters, digits, `_` and `-` joined by dots, at most {MAX_TYPE_CHARS} characters"
            ))
        });
        let tenant = match &settings.tenant {
            TenantFrom::Fixed(tenant) => Ok(tenant.clone()),
            TenantFrom::Field => self.tenant.and_then(|text| required(text, names.tenant)),
            TenantFrom::Header => headers.owned("hookline-tenant").and_then(|text| {
                text.ok_or_else(|| {
                    "the header `hookline-tenant` is missing, from which this source takes the tenant".to_owned()
                })
            }),
        };
        let tenant = tenant.and_then(|text| plain(text, "the tenant", MAX_TENANT_CHARS));
        let invalid =
            |field, message| ParseError::invalid(field, message, tenant.clone().ok(), event_type.clone().ok());

        let id = match self
            .id
            .and_then(|id| id.map(|id| plain(id, names.id, MAX_ID_CHARS)).transpose())
        {
            Ok(Some(id)) => id,
            Ok(None) => ids::event_id_from_position(record.topic, record.partition, record.offset),
            Err(message) => return Err(invalid(names.id, message)),
        };
        let occurred_at = match self.occurred_at {
            Ok(Some(text)) => rfc3339(text, names.occurred_at),
            Ok(None) => timestamp_text(record.timestamp_ms),
            Err(message) => Err(message),
        }
        .map_err(|message| invalid(names.occurred_at, message))?;
        let cloud_source = self
            .cloud_source
            .and_then(|text| text.map(|text| plain(text, "source", MAX_SOURCE_CHARS)).transpose())
            .map_err(|message| invalid("source", message))?;
        let data = self.data.map_err(|message| invalid(names.data, message))?;
        json_shape::check(data).map_err(|message| invalid(names.data, format!("`{}`: {message}", names.data)))?;
        let (tenant, event_type) = match (&tenant, &event_type) {
            (Ok(tenant), Ok(event_type)) => (tenant.clone(), event_type.clone()),
            (Err(message), _) => return Err(invalid(names.tenant, message.clone())),
            (_, Err(message)) => return Err(invalid(names.event_type, message.clone())),
        };
        Ok(Event {
            id,
            tenant,
            event_type,
            occurred_at,
            data: data.to_owned(),
            cloud_source,
            traceparent: self.traceparent.as_deref().and_then(trace_context::valid),
            timestamp_ms: record.timestamp_ms,
            source: Source {
                topic: record.topic.to_owned(),
                partition: record.partition,
                offset: record.offset,
            },
        })
    }
}

/// A JSON field that should be a string.
pub(super) fn string(raw: Option<&RawValue>, name: &str) -> Text {
    raw.map(|raw| serde_json::from_str(raw.get()).map_err(|_| format!("`{name}` must be a string")))
        .transpose()
}

/// The data, which may not be absent.
pub(super) fn present<'a>(raw: Option<&'a RawValue>, name: &str) -> Result<&'a RawValue, String> {
    raw.ok_or_else(|| format!("`{name}` is missing"))
}

/// Reads the object that a value is. `serde` alone would take an array for a struct.
pub(super) fn object<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    match text.trim_start_matches([' ', '\t', '\r', '\n']).as_bytes().first() {
        Some(b'{') => serde_json::from_str(text).map_err(|e| format!("the value is not readable JSON: {e}")),
        Some(_) => Err("the value is not a JSON object".to_owned()),
        None => Err("the value is empty".to_owned()),
    }
}

fn required(text: Option<String>, name: &str) -> Result<String, String> {
    text.ok_or_else(|| format!("`{name}` is missing"))
}

/// Ids and tenants go into HTTP headers and topic keys.
fn plain(text: String, name: &str, max_chars: usize) -> Result<String, String> {
    let fits = !text.is_empty() && text.chars().count() <= max_chars;
    let printable = !text.chars().any(char::is_control) && text.trim() == text;
    (fits && printable).then_some(text).ok_or_else(|| {
        format!("`{name}` must have 1 to {max_chars} characters, no control characters and no space around it")
    })
}

/// Dotted names: what filters can name.
pub(crate) fn is_type_name(text: &str) -> bool {
    let segment = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    text.len() <= MAX_TYPE_CHARS && text.split('.').all(segment)
}

fn rfc3339(text: String, name: &str) -> Result<String, String> {
    let valid = text.len() <= MAX_TIME_CHARS && OffsetDateTime::parse(&text, &Rfc3339).is_ok();
    valid
        .then_some(text)
        .ok_or_else(|| format!("`{name}` must be an RFC 3339 time, such as 2026-11-21T10:00:00Z"))
}

/// UTC, milliseconds, `Z`.
fn timestamp_text(timestamp_ms: i64) -> Result<String, String> {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(timestamp_ms) * 1_000_000)
        .ok()
        .filter(|time| (0..=9999).contains(&time.year()))
        .and_then(|time| time.format(&format).ok())
        .ok_or_else(|| format!("the record's timestamp {timestamp_ms} is no time"))
}
