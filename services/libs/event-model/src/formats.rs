//! From a Kafka record to an event: Hookline JSON, CloudEvents 1.0 (binary and structured) and event_payload.
//!
//! Never panics, whatever the bytes. Deliberately not here: whether the tenant and the type exist, and the type's contract.
//! Avro events are told apart and refused.

mod cloud_events;
mod draft;
mod event_payload;
mod headers;
mod hookline_json;
mod rejection;
mod settings;
mod trace_context;

use crate::event::Event;
use draft::Draft;
pub(crate) use draft::is_type_name;
use headers::Headers;

pub use rejection::ParseError;
pub use settings::{Format, SourceSettings, TenantFrom, UnknownSetting};

/// A record of a source topic.
#[derive(Debug, Clone, Copy)]
pub struct SourceRecord<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    /// The record's timestamp, Unix milliseconds.
    pub timestamp_ms: i64,
    pub key: Option<&'a [u8]>,
    /// `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(String, Vec<u8>)],
}

/// Reads an event as the source's settings say.
pub fn parse(record: &SourceRecord<'_>, settings: &SourceSettings) -> Result<Event, ParseError> {
    let headers = Headers::new(record.headers);
    let known_tenant = || settings.tenant.known(&headers);
    let unreadable = |message| ParseError::unreadable(message, known_tenant());
    let value = record
        .value
        .ok_or_else(|| unreadable("the record has no value (a tombstone)".to_owned()))?;
    if value.len() > settings.max_payload_bytes {
        return Err(ParseError::too_large(
            value.len(),
            settings.max_payload_bytes,
            known_tenant(),
        ));
    }
    let draft = read(value, &headers, settings.format).map_err(unreadable)?;
    draft.finish(record, &headers, settings)
}

/// Which fields the record has; an error when it can't be read at all.
fn read<'a>(value: &'a [u8], headers: &Headers<'a>, format: Format) -> Result<Draft<'a>, String> {
    refuse_avro(value, headers)?;
    let text =
        std::str::from_utf8(value).map_err(|e| format!("the value is not UTF-8 from byte {}", e.valid_up_to()))?;
    match format {
        Format::HooklineJson => hookline_json::read(text, headers),
        Format::EventPayload => event_payload::read(text, headers),
        Format::CloudEvents => cloud_events::read(text, headers),
        Format::Auto if cloud_events::announced(headers) => cloud_events::read(text, headers),
        Format::Auto => hookline_json::read(text, headers),
    }
}

/// Avro is told by its content type, or by the first bytes of its two wire formats, with which no JSON begins.
fn refuse_avro(value: &[u8], headers: &Headers<'_>) -> Result<(), String> {
    let announced = headers
        .media_type()
        .is_some_and(|media_type| media_type.contains("avro"));
    let single_object = value.starts_with(&[0xC3, 0x01]);
    let registry = value.len() >= 5 && value[0] == 0;
    if announced || single_object || registry {
        return Err("the value is Avro, which this version does not read yet; publish JSON".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
