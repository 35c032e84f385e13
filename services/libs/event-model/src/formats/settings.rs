//! What the configuration says about a source. Deliberately not here: reading the configuration (`runtime`).

use super::headers::Headers;
use std::str::FromStr;

/// How a source's records are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    pub format: Format,
    pub tenant: TenantFrom,
    /// Larger values are `too_large`.
    pub max_payload_bytes: usize,
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self {
            format: Format::Auto,
            tenant: TenantFrom::Field,
            max_payload_bytes: 262_144,
        }
    }
}

/// What a source's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// CloudEvents when the headers say so, else Hookline JSON.
    #[default]
    Auto,
    HooklineJson,
    CloudEvents,
    EventPayload,
}

/// Where an event's tenant is taken from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TenantFrom {
    /// The field `tenant`, or the CloudEvents extension of that name.
    #[default]
    Field,
    /// The record header `hookline-tenant`.
    Header,
    /// This tenant, whatever the record says.
    Fixed(String),
}

/// A value that the setting does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not known; use {allowed}")]
pub struct UnknownSetting {
    value: String,
    allowed: &'static str,
}

impl FromStr for Format {
    type Err = UnknownSetting;
    fn from_str(value: &str) -> Result<Self, UnknownSetting> {
        match value {
            "auto" => Ok(Self::Auto),
            "hookline_json" => Ok(Self::HooklineJson),
            "cloudevents" => Ok(Self::CloudEvents),
            "event_payload" => Ok(Self::EventPayload),
            _ => Err(UnknownSetting {
                value: value.to_owned(),
                allowed: "auto, hookline_json, cloudevents or event_payload (avro comes with a later version)",
            }),
        }
    }
}

impl FromStr for TenantFrom {
    type Err = UnknownSetting;
    fn from_str(value: &str) -> Result<Self, UnknownSetting> {
        match (value, value.strip_prefix("fixed:")) {
            ("field", _) => Ok(Self::Field),
            ("header", _) => Ok(Self::Header),
            (_, Some(tenant)) if !tenant.is_empty() => Ok(Self::Fixed(tenant.to_owned())),
            _ => Err(UnknownSetting {
                value: value.to_owned(),
                allowed: "field, header or fixed:<tenant id>",
            }),
        }
    }
}

impl TenantFrom {
    /// The tenant, as far as it is known without reading the value.
    pub(super) fn known(&self, headers: &Headers<'_>) -> Option<String> {
        match self {
            Self::Fixed(tenant) => Some(tenant.clone()),
            Self::Header => headers.text("hookline-tenant").ok().flatten().map(str::to_owned),
            Self::Field => None,
        }
    }
}
