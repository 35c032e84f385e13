//! Whether an event is taken: its size, its type among its tenant's catalogs, and the type's contract. Fan-out asks it of
//! every event, and whoever publishes asks it before, so that both say the same.
//!
//! Deliberately not here: reading the event (`formats`), and whether its tenant exists.

use crate::{Catalogs, Event, TypeInfo, Violation, contract};
use std::{fmt, sync::Arc};

/// Largest rendered body.
const MAX_BODY_BYTES: usize = 512 << 10;
/// What an envelope adds to the data at most: an id, a type, a time, a tenant and a source, escaped, and the names of its
/// fields.
const MAX_ENVELOPE_BYTES: usize = 8 << 10;
/// Most violations named in words.
const VIOLATIONS_SHOWN: usize = 5;

/// An event that is taken.
#[derive(Debug)]
pub struct Admitted<'c> {
    pub info: &'c Arc<TypeInfo>,
    /// What is wrong with its data by its type's contract: empty, unless the type is beta.
    pub violations: Vec<Violation>,
}

/// Why an event is not taken. In words: [`fmt::Display`].
#[derive(Debug, Clone)]
pub enum Refusal<'c> {
    TooLarge {
        data_bytes: usize,
    },
    UnknownType {
        event_type: String,
        catalogs: Vec<String>,
    },
    ContractBroken {
        info: &'c Arc<TypeInfo>,
        violations: Vec<Violation>,
    },
}

/// Judges an event of a tenant that has these catalogs.
///
/// # Errors
/// [`Refusal`]
pub fn admit<'c>(
    event: &Event,
    tenant_catalogs: &[String],
    catalogs: &'c Catalogs,
) -> Result<Admitted<'c>, Refusal<'c>> {
    let data_bytes = event.data.get().len();
    if data_bytes + MAX_ENVELOPE_BYTES > MAX_BODY_BYTES {
        return Err(Refusal::TooLarge { data_bytes });
    }
    let Some(info) = catalogs.find(tenant_catalogs, &event.event_type) else {
        return Err(Refusal::UnknownType {
            event_type: event.event_type.clone(),
            catalogs: tenant_catalogs.to_vec(),
        });
    };
    match contract::check(info, &event.data) {
        Ok(()) => Ok(Admitted {
            info,
            violations: Vec::new(),
        }),
        Err(violations) if info.is_stable() => Err(Refusal::ContractBroken { info, violations }),
        Err(violations) => Ok(Admitted { info, violations }),
    }
}

impl Refusal<'_> {
    /// As it stands in a rejected record.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::UnknownType { .. } => "unknown_type",
            Self::ContractBroken { .. } => "contract_broken",
        }
    }
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { data_bytes } => write!(
                f,
                "the data has {data_bytes} bytes; a rendered body has at most {MAX_BODY_BYTES}"
            ),
            Self::UnknownType { event_type, catalogs } => write!(
                f,
                "type `{event_type}` is in none of the tenant's catalogs ({})",
                catalogs.join(", ")
            ),
            Self::ContractBroken { violations, .. } => {
                for (index, violation) in violations.iter().take(VIOLATIONS_SHOWN).enumerate() {
                    let before = if index > 0 { "; " } else { "" };
                    write!(f, "{before}{violation}")?;
                }
                match violations.len().saturating_sub(VIOLATIONS_SHOWN) {
                    0 => Ok(()),
                    more => write!(f, "; and {more} more"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SourceRecord, SourceSettings, parse};

    fn event(event_type: &str, data: &str) -> Event {
        let value = format!(r#"{{"id":"1","type":"{event_type}","tenant":"org_1","data":{data}}}"#);
        let record = SourceRecord {
            topic: "events",
            partition: 0,
            offset: 0,
            timestamp_ms: 1,
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
        };
        let settings = SourceSettings {
            max_payload_bytes: 1 << 20,
            ..SourceSettings::default()
        };
        parse(&record, &settings).expect("an event")
    }

    #[test]
    fn each_reason_is_told_and_a_beta_type_passes_with_its_violations() {
        let catalogs = Catalogs::builtin();
        let own = ["platform".to_owned()];
        let judge = |event_type: &str, data: &str| match admit(&event(event_type, data), &own, &catalogs) {
            Ok(admitted) => format!("{} {}", admitted.info.name, admitted.violations.len()),
            Err(refusal) => format!("{}: {refusal}", refusal.reason()),
        };
        let broken = judge("webhook.endpoint.auto_disabled", r#"{"endpointId":1}"#);
        assert!(broken.starts_with("contract_broken: data"), "{broken}");
        let unknown = judge("case.created", "{}");
        assert!(
            unknown.starts_with("unknown_type: ") && unknown.contains("platform"),
            "{unknown}"
        );
        let large = judge(
            "webhook.endpoint.auto_disabled",
            &format!("\"{}\"", "x".repeat(512 << 10)),
        );
        assert!(large.starts_with("too_large: "), "{large}");
        let beta = catalogs.list(&own).into_iter().find(|info| !info.is_stable());
        let beta = beta.expect("the catalog has beta types").name.clone();
        assert_eq!(judge(&beta, "[]"), format!("{beta} 1"));
    }
}
