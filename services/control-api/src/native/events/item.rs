//! One event: read strictly, written down as fan-out reads it, and judged by what fan-out judges it by. Its data travels
//! byte for byte.

use crate::{
    auth::Scopes,
    error::{ApiError, Detail},
};
use delivery_core::murmur2;
use event_model::{Catalogs, Refusal, SourceRecord, SourceSettings, Violation, admit, ids};
use kafka_log::{Outgoing, topics::INGEST_PARTITIONS};
use runtime::clock::rfc3339;
use schemas::Tenant;
use serde::Deserialize;
use serde_json::value::RawValue;

/// An event as a caller writes it, each field unread. `id`: at most 256 characters, made when left out; `occurred_at`:
/// RFC 3339, now when left out; `tenant` may be left out, and is the key's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    event_type: Option<&'a RawValue>,
    #[serde(borrow)]
    tenant: Option<&'a RawValue>,
    #[serde(borrow)]
    occurred_at: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// What events of one request are judged by.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub tenant: &'a Tenant,
    pub scopes: &'a Scopes,
    pub catalogs: &'a Catalogs,
    pub idempotency_key: Option<&'a str>,
    pub max_payload_bytes: usize,
    pub topic: &'a str,
    pub traceparent: Option<&'a str>,
    pub now_ms: i64,
}

/// An event that may be written.
#[derive(Debug)]
pub(super) struct Judged {
    pub id: String,
    pub record: Outgoing,
}

impl Judge<'_> {
    /// `index`: its place in the request, from 0.
    ///
    /// # Errors
    /// 400, or 403 when the key lacks the type's scope.
    pub(super) fn judge(&self, text: &str, index: usize) -> Result<Judged, ApiError> {
        let fields = read(text)?;
        self.check_tenant(fields.tenant)?;
        let value = self.written(&fields, index);
        let record = SourceRecord {
            topic: self.topic,
            partition: 0,
            offset: 0,
            timestamp_ms: self.now_ms,
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
        };
        let settings = SourceSettings {
            max_payload_bytes: self.max_payload_bytes,
            ..SourceSettings::default()
        };
        let event = event_model::parse(&record, &settings)
            .map_err(|error| ApiError::invalid(error.field.unwrap_or_default(), error.message))?;
        let admitted = admit(&event, &self.tenant.catalogs, self.catalogs).map_err(|refusal| refused(&refusal))?;
        if let Some(scope) = &admitted.info.required_scope {
            self.scopes.require(&[scope])?;
        }
        let partition = murmur2::partition(event.id.as_bytes(), INGEST_PARTITIONS);
        let mut record = Outgoing::new(self.topic, partition, event.id.as_bytes(), value.into_bytes());
        if let Some(traceparent) = self.traceparent {
            record.headers.push(("traceparent".to_owned(), traceparent.into()));
        }
        Ok(Judged { id: event.id, record })
    }

    fn check_tenant(&self, said: Option<&RawValue>) -> Result<(), ApiError> {
        let is_own = said.is_none_or(|said| {
            let said = serde_json::from_str::<String>(said.get());
            said.is_ok_and(|said| said == self.tenant.id)
        });
        if is_own {
            Ok(())
        } else {
            let message = "events are published for the key's own tenant alone; leave it out";
            Err(ApiError::invalid("tenant", message))
        }
    }

    /// As Hookline JSON. What is missing stays missing, for whoever reads it to say so.
    fn written(&self, fields: &Fields<'_>, index: usize) -> String {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let id = match (fields.id, self.idempotency_key) {
            (Some(id), _) => id.get().to_owned(),
            (None, Some(key)) => text(&ids::event_id_from_key(&self.tenant.id, key, index)),
            (None, None) => text(&format!("evt_{}", ulid::Ulid::new())),
        };
        let occurred_at = fields
            .occurred_at
            .map_or_else(|| text(&rfc3339(self.now_ms)), |at| at.get().to_owned());
        let mut value = format!(r#"{{"id":{id}"#);
        if let Some(event_type) = fields.event_type {
            value += &format!(r#","type":{}"#, event_type.get());
        }
        value += &format!(r#","tenant":{},"occurred_at":{occurred_at}"#, text(&self.tenant.id));
        if let Some(data) = fields.data {
            value += r#","data":"#;
            value += data.get();
        }
        value.push('}');
        value
    }
}

fn read(text: &str) -> Result<Fields<'_>, ApiError> {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    // serde takes an array for a struct.
    if !text.starts_with('{') {
        return Err(ApiError::invalid("", "an event must be a JSON object"));
    }
    serde_json::from_str(text).map_err(|error| {
        let said = error.to_string();
        let named = ["unknown field `", "duplicate field `"]
            .into_iter()
            .find_map(|before| said.strip_prefix(before)?.split('`').next());
        match named {
            Some(field) => {
                let message = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
                ApiError::invalid(field, message)
            }
            None => ApiError::invalid("", format!("the event is not JSON that is taken here: {said}")),
        }
    })
}

fn refused(refusal: &Refusal<'_>) -> ApiError {
    match refusal {
        Refusal::TooLarge { .. } => ApiError::invalid("data", refusal.to_string()),
        Refusal::UnknownType { .. } => ApiError::invalid("type", refusal.to_string()),
        Refusal::ContractBroken { violations, .. } => {
            let detail = |violation: &Violation| Detail {
                path: path(&violation.path),
                message: violation.message.clone(),
            };
            ApiError::invalid_all(violations.iter().map(detail).collect())
        }
    }
}

/// `data.pages[2].name` of the JSON Pointer `/pages/2/name`.
fn path(pointer: &str) -> String {
    let mut path = "data".to_owned();
    for part in pointer.split('/').skip(1) {
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            path += &format!("[{part}]");
        } else {
            path.push('.');
            path += &part.replace("~1", "/").replace("~0", "~");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::entities;

    fn judged(text: &str, scopes: &[&str], key: Option<&str>) -> Result<(String, String), ApiError> {
        let tenant = Tenant {
            id: "org_1".to_owned(),
            ..entities::new_tenant("one", vec!["platform".into()], 1)
        };
        let scopes = Scopes::Of(scopes.iter().map(|scope| (*scope).to_owned()).collect());
        let judge = Judge {
            tenant: &tenant,
            scopes: &scopes,
            catalogs: &Catalogs::builtin(),
            idempotency_key: key,
            max_payload_bytes: 1000,
            topic: "ingest",
            traceparent: None,
            now_ms: 1_795_255_200_007,
        };
        let Judged { id, record } = judge.judge(text, 3)?;
        assert_eq!(record.key.as_deref(), Some(id.as_bytes()));
        Ok((id, String::from_utf8(record.value.unwrap_or_default()).expect("JSON")))
    }

    const DATA: &str = r#"{"endpointId":"é","url":"x", "consecutiveFailures":1.0,"lastFailureAt":"\u00e9"}"#;

    #[test]
    fn data_is_kept_byte_for_byte_and_what_is_left_out_is_made() {
        let text = format!(r#"{{"type":"webhook.endpoint.auto_disabled","data":{DATA} }}"#);
        let (id, value) = judged(&text, &["webhooks"], Some("key")).expect("an event");
        assert_eq!(id, ids::event_id_from_key("org_1", "key", 3));
        assert_eq!(
            value,
            format!(
                r#"{{"id":"{id}","type":"webhook.endpoint.auto_disabled","tenant":"org_1","occurred_at":"2026-11-21T10:00:00.007Z","data":{DATA}}}"#
            )
        );
        let own = format!(
            r#"{{"id":"order-7","tenant":"org_1","occurred_at":"2026-11-21T10:00:00+01:00",{}"#,
            &text[1..]
        );
        let (id, value) = judged(&own, &["webhooks"], Some("key")).expect("an event");
        assert!(id == "order-7" && value.contains("+01:00"), "{value}");
        let (id, _) = judged(&text, &["webhooks"], None).expect("an event");
        assert!(id.starts_with("evt_0"), "{id}");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_path() {
        let event_type = r#""type":"webhook.endpoint.auto_disabled""#;
        let cases = [
            ("[]".to_owned(), ""),
            ("{".to_owned(), ""),
            (r#"{"data":{}}"#.to_owned(), "type"),
            (format!("{{{event_type}}}"), "data"),
            (format!(r#"{{{event_type},"data":{DATA},"extra":1}}"#), "extra"),
            (format!(r#"{{{event_type},{event_type},"data":{DATA}}}"#), "type"),
            (format!(r#"{{{event_type},"data":{DATA},"tenant":"org_2"}}"#), "tenant"),
            (
                format!(r#"{{{event_type},"data":{DATA},"tenant":["org_1"]}}"#),
                "tenant",
            ),
            (format!(r#"{{{event_type},"data":{DATA},"id":7}}"#), "id"),
            (
                format!(r#"{{{event_type},"data":{DATA},"id":"{}"}}"#, "x".repeat(257)),
                "id",
            ),
            (
                format!(r#"{{{event_type},"data":{DATA},"occurred_at":"today"}}"#),
                "occurred_at",
            ),
            (format!(r#"{{{event_type},"data":{{"a":1,"a":2}}}}"#), "data"),
            (
                format!(
                    r#"{{{event_type},"data":{{"endpointId":1,"url":"","consecutiveFailures":1,"lastFailureAt":""}}}}"#
                ),
                "data.endpointId",
            ),
            (format!(r#"{{"type":"no.such.type","data":{DATA}}}"#), "type"),
            (format!(r#"{{{event_type},"data":{{"x":"{}"}}}}"#, "x".repeat(1000)), ""),
        ];
        for (text, path) in cases {
            let error = judged(&text, &["webhooks"], None).expect_err(&text);
            let found = error.details.first().map(|detail| detail.path.as_str());
            assert_eq!(
                (found, error.code),
                (Some(path), crate::error::Code::InvalidRequest),
                "{text}: {error:?}"
            );
        }
        let text = format!("{{{event_type},\"data\":{DATA}}}");
        let refused = judged(&text, &["vault"], None).expect_err("the scope is missing");
        assert_eq!(refused.code, crate::error::Code::PermissionDenied);
    }

    #[test]
    fn pointers_become_paths() {
        assert_eq!(path(""), "data");
        assert_eq!(path("/pages/2/a~1b"), "data.pages[2].a/b");
    }
}
