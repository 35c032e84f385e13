//! CloudEvents 1.0, Kafka protocol binding: binary (`ce_*` headers, the value is the data) and structured (the value is
//! the whole event). The tenant is the extension `tenant`.
//!
//! Data must be JSON: `data_base64`, other content types and an absent data are refused, since envelopes carry JSON.
//! Batches are refused.

use super::{
    draft::{Draft, Names, Text, object, present, string},
    headers::{Headers, is_json, media_type},
};
use serde::Deserialize;
use serde_json::value::RawValue;

const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch";
const NAMES: Names = Names {
    id: "id",
    event_type: "type",
    tenant: "tenant",
    occurred_at: "time",
    data: "data",
};
const HEADER_NAMES: Names = Names {
    id: "ce_id",
    event_type: "ce_type",
    tenant: "ce_tenant",
    occurred_at: "ce_time",
    data: "data",
};

/// Whether the headers say that it is a CloudEvent.
pub(super) fn announced(headers: &Headers<'_>) -> bool {
    is_binary(headers)
        || headers
            .media_type()
            .is_some_and(|media_type| media_type.starts_with("application/cloudevents"))
}

/// Structured when the content type says so (as the binding demands), else binary with `ce_specversion`, else structured.
pub(super) fn read<'a>(text: &'a str, headers: &Headers<'a>) -> Result<Draft<'a>, String> {
    match headers.media_type() {
        Some(media_type) if media_type.starts_with(BATCH) => {
            Err("a batch of CloudEvents is not accepted in one record; publish one event a record".to_owned())
        }
        Some(media_type) if media_type == STRUCTURED => structured(text, headers),
        Some(media_type) if media_type.starts_with("application/cloudevents") => {
            Err(format!("structured CloudEvents are read as {STRUCTURED} only"))
        }
        _ if is_binary(headers) => binary(text, headers),
        _ => structured(text, headers),
    }
}

fn is_binary(headers: &Headers<'_>) -> bool {
    !matches!(headers.text("ce_specversion"), Ok(None))
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    specversion: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    event_type: Option<&'a RawValue>,
    #[serde(borrow)]
    time: Option<&'a RawValue>,
    #[serde(borrow)]
    datacontenttype: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    data_base64: Option<&'a RawValue>,
    #[serde(borrow)]
    tenant: Option<&'a RawValue>,
    #[serde(borrow)]
    traceparent: Option<&'a RawValue>,
}

fn structured<'a>(text: &'a str, headers: &Headers<'a>) -> Result<Draft<'a>, String> {
    let fields: Fields<'a> = object(text)?;
    let attributes = Attributes {
        specversion: string(fields.specversion, "specversion"),
        id: string(fields.id, NAMES.id),
        source: string(fields.source, "source"),
        content_type: string(fields.datacontenttype, "datacontenttype"),
    };
    let data = match fields.data_base64 {
        Some(_) => Err("`data_base64` is not accepted; Hookline delivers JSON, send it as `data`".to_owned()),
        None => present(fields.data, NAMES.data),
    };
    let extension = string(fields.traceparent, "traceparent").ok().flatten();
    let (id, cloud_source) = attributes.checked();
    Ok(Draft {
        id,
        event_type: string(fields.event_type, NAMES.event_type),
        tenant: string(fields.tenant, NAMES.tenant),
        occurred_at: string(fields.time, NAMES.occurred_at),
        data,
        traceparent: extension.or_else(|| headers.owned("traceparent").ok().flatten()),
        cloud_source,
        names: NAMES,
    })
}

fn binary<'a>(text: &'a str, headers: &Headers<'a>) -> Result<Draft<'a>, String> {
    let attributes = Attributes {
        specversion: headers.owned("ce_specversion"),
        id: headers.owned(HEADER_NAMES.id),
        source: headers.owned("ce_source"),
        content_type: headers.owned("content-type"),
    };
    let (id, cloud_source) = attributes.checked();
    let data = serde_json::from_str::<&RawValue>(text).map_err(|e| format!("the value is not readable JSON: {e}"));
    let extension = headers.owned("ce_traceparent").ok().flatten();
    Ok(Draft {
        // A wrong content type explains unreadable data better than the parser does.
        data: if id.is_err() {
            data.map_err(|_| "the data is not JSON".to_owned())
        } else {
            Ok(data?)
        },
        id,
        event_type: headers.owned(HEADER_NAMES.event_type),
        tenant: headers.owned(HEADER_NAMES.tenant),
        occurred_at: headers.owned(HEADER_NAMES.occurred_at),
        traceparent: extension.or_else(|| headers.owned("traceparent").ok().flatten()),
        cloud_source,
        names: HEADER_NAMES,
    })
}

/// What the specification demands.
struct Attributes {
    specversion: Text,
    id: Text,
    source: Text,
    content_type: Text,
}

impl Attributes {
    /// The id, once all the others are in order, and the source.
    fn checked(self) -> (Text, Text) {
        let source = self.source.clone().ok().flatten();
        (self.checked_id(), Ok(source))
    }

    fn checked_id(self) -> Text {
        match self.specversion?.as_deref() {
            Some("1.0") => {}
            Some(_) => return Err("`specversion` must be 1.0".to_owned()),
            None => return Err("`specversion` is missing".to_owned()),
        }
        if self.source?.is_none_or(|source| source.is_empty()) {
            return Err("`source` is missing".to_owned());
        }
        if let Some(content_type) = self.content_type?
            && !is_json(&media_type(&content_type))
        {
            return Err("the data's content type is not JSON, and Hookline delivers JSON".to_owned());
        }
        self.id?.map(Some).ok_or_else(|| "`id` is missing".to_owned())
    }
}
