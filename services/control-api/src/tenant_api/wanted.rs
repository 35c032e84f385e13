//! What a caller of the tenant API may say of an endpoint.

use crate::{
    body::{name, present},
    error::ApiError,
};
use endpoint_settings::{Settings, Status};
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Of this API: `disabled` and `auto_disabled` show as `paused`.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WantedState {
    Active,
    Paused,
}

impl From<WantedState> for Status {
    fn from(state: WantedState) -> Self {
        match state {
            WantedState::Active => Self::Active,
            WantedState::Paused => Self::Paused,
        }
    }
}

/// A new endpoint of the tenant API.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Created {
    /// Where to deliver, HTTPS; at most 2,048 characters.
    url: String,
    /// Event types, prefixes such as `cases.tasks.*`, or `*`.
    events: Vec<String>,
    /// At most 1,024 characters.
    description: Option<String>,
    #[serde(default, deserialize_with = "name")]
    #[schema(value_type = WantedState, required = false)]
    status: Option<WantedState>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = BTreeMap<String, String>, required = false)]
    metadata: Option<BTreeMap<String, String>>,
}

/// What is to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changed {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    url: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false)]
    events: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "name")]
    #[schema(value_type = WantedState, required = false)]
    status: Option<WantedState>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = BTreeMap<String, String>, required = false)]
    metadata: Option<BTreeMap<String, String>>,
}

impl Created {
    pub(crate) fn settings(self) -> Settings {
        Settings {
            url: Some(self.url),
            event_type_filters: Some(self.events),
            description: Some(self.description),
            status: self.status.map(Status::from),
            metadata: self.metadata,
            ..Settings::default()
        }
    }
}

impl Changed {
    pub(crate) fn settings(self) -> Settings {
        Settings {
            url: self.url,
            event_type_filters: self.events,
            description: self.description,
            status: self.status.map(Status::from),
            metadata: self.metadata,
            ..Settings::default()
        }
    }
}

/// Filters are called `events` here.
pub(crate) fn rename(mut error: ApiError) -> ApiError {
    for detail in &mut error.details {
        if let Some(rest) = detail.path.strip_prefix("eventTypeFilters") {
            detail.path = format!("events{rest}");
        }
    }
    if error.message.contains("eventTypeFilters") {
        error.message = error.message.replace("eventTypeFilters", "events").into();
    }
    error
}
