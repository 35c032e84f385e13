//! What a caller may say of an endpoint, as it is written in JSON, and what that means as settings.

use crate::{
    body::{name, nullable_object, present},
    error::ApiError,
};
use endpoint_settings::{RateLimit, Settings};
use serde::{Deserialize, Serialize};
use signing::SigningSecret;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// `{"vaultIds":[],"matterIds":[]}`, either may be left out.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct ResourceScopes {
    pub vault_ids: Vec<String>,
    pub matter_ids: Vec<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WantedRateLimit {
    /// Requests a second, 0.001 to 100,000.
    per_second: f64,
    /// How many may come at once, 1 to 100,000; when left out, the rate, but at least 1.
    #[serde(default, deserialize_with = "present")]
    burst: Option<i32>,
}

// `tt`, and not `literal`: the document's macro doesn't see through the latter, and would show the variants' names.
macro_rules! names {
    ($(#[$of:meta])* $name:ident { $($variant:ident => $text:tt),* $(,)? }) => {
        $(#[$of])*
        #[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
        pub(crate) enum $name {
            $(#[serde(rename = $text)] $variant,)*
        }

        impl $name {
            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

names!(WantedStatus { Active => "active", Paused => "paused", Disabled => "disabled" });
names!(WantedOrdering { None => "none", Endpoint => "endpoint" });
names!(WantedOnExhausted { Skip => "skip", Block => "block" });
names!(WantedPlacement { Auto => "auto", Dedicated => "dedicated", Shared => "shared" });
names!(
    /// The body of deliveries.
    WantedEnvelope { Standard => "standard", EventPayload => "event_payload", CloudEvents => "cloudevents", Raw => "raw" }
);
names!(
    /// Which answers are retried.
    WantedDialect { Standard => "standard", RetryAll => "retry_all" }
);
names!(WantedScheme { V1 => "v1", V1a => "v1a", Both => "both" });

/// A body of fields of its own and of those that may be said both when an endpoint is made and when it is changed: serde's
/// `flatten` would let unknown fields pass.
macro_rules! endpoint_body {
    ($(#[$of:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$of])*
        #[derive(Deserialize, ToSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub(crate) struct $name {
            $($own)*
            /// At most 1,024 characters; null: none.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<String>)]
            description: Option<Option<String>>,
            /// Only events of these vaults or matters; null: all.
            #[serde(default, deserialize_with = "nullable_object")]
            #[schema(value_type = Option<ResourceScopes>)]
            resource_scopes: Option<Option<ResourceScopes>>,
            /// Headers of every request; they replace all that there are. `[redacted]` keeps the value of one that is
            /// answered so.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = BTreeMap<String, String>, required = false)]
            headers: Option<BTreeMap<String, String>>,
            /// null: no limit but the installation's.
            #[serde(default, deserialize_with = "nullable_object")]
            #[schema(value_type = Option<WantedRateLimit>)]
            rate_limit: Option<Option<WantedRateLimit>>,
            /// Requests under way at once, 1 to 1,000; null: the installation's.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<i32>, minimum = 1, maximum = 1000)]
            max_in_flight: Option<Option<i32>>,
            /// Longest request, 1 to 60; null: the installation's.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<i32>, minimum = 1, maximum = 60)]
            timeout_sec: Option<Option<i32>>,
            /// Delays before each retry in seconds, at most 20 of at most 172,800; null: the installation's; `[]`: no
            /// retries.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<Vec<i64>>)]
            retry_schedule: Option<Option<Vec<i64>>>,
            /// `endpoint` comes with a later version.
            #[serde(default, deserialize_with = "name")]
            #[schema(value_type = WantedOrdering, required = false)]
            ordering: Option<WantedOrdering>,
            /// `block` comes with a later version.
            #[serde(default, deserialize_with = "name")]
            #[schema(value_type = WantedOnExhausted, required = false)]
            on_exhausted: Option<WantedOnExhausted>,
            /// Changing it comes with a later version.
            #[serde(default, deserialize_with = "name")]
            #[schema(value_type = WantedPlacement, required = false)]
            placement: Option<WantedPlacement>,
            #[serde(default, deserialize_with = "name")]
            #[schema(value_type = WantedEnvelope, required = false)]
            envelope: Option<WantedEnvelope>,
            #[serde(default, deserialize_with = "name")]
            #[schema(value_type = WantedDialect, required = false)]
            dialect: Option<WantedDialect>,
            /// Whether a 410 disables it.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = bool, required = false)]
            disable_on_gone: Option<bool>,
            /// Signatures: HMAC with the secret, ed25519 verified with `publicKey`, or both.
            #[serde(default, deserialize_with = "name")]
            #[schema(value_type = WantedScheme, required = false)]
            signature_scheme: Option<WantedScheme>,
            /// Notes of your own, never sent: at most 50 of 40 + 500 characters; they replace all that there are.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = BTreeMap<String, String>, required = false)]
            metadata: Option<BTreeMap<String, String>>,
        }

        impl $name {
            /// All but the fields of its own.
            fn common(&mut self) -> Settings {
                let owned = |name: Option<&'static str>| name.map(str::to_owned);
                Settings {
                    description: self.description.take(),
                    resource_scopes: self.resource_scopes.take().map(|wanted| wanted.map(ResourceScopes::into)),
                    headers: self.headers.take(),
                    rate_limit: self.rate_limit.take().map(|wanted| wanted.map(WantedRateLimit::into)),
                    max_in_flight: self.max_in_flight,
                    timeout_sec: self.timeout_sec,
                    retry_schedule_sec: self.retry_schedule.take(),
                    ordering: owned(self.ordering.map(WantedOrdering::as_str)),
                    on_exhausted: owned(self.on_exhausted.map(WantedOnExhausted::as_str)),
                    placement: owned(self.placement.map(WantedPlacement::as_str)),
                    envelope: owned(self.envelope.map(WantedEnvelope::as_str)),
                    dialect: owned(self.dialect.map(WantedDialect::as_str)),
                    disable_on_gone: self.disable_on_gone,
                    signature_scheme: owned(self.signature_scheme.map(WantedScheme::as_str)),
                    metadata: self.metadata.take(),
                    ..Settings::default()
                }
            }
        }
    };
}

endpoint_body!(
    /// A new endpoint.
    CreatedEndpoint {
        /// Where to deliver, HTTPS; at most 2,048 characters.
        url: String,
        /// 1 to 100 event types, prefixes such as `vault.ingest.*`, or `*`.
        event_type_filters: Vec<String>,
        /// One that receivers have already, `whsec_` and base64 of 24 to 64 bytes; a new one is made when left out.
        #[serde(default, deserialize_with = "present")]
        #[schema(value_type = String, required = false)]
        signing_secret: Option<BroughtSecret>,
    }
);

endpoint_body!(
    /// What is to change; what is left out stays.
    ChangedEndpoint {
        /// Where to deliver, HTTPS; at most 2,048 characters.
        #[serde(default, deserialize_with = "present")]
        #[schema(value_type = String, required = false)]
        url: Option<String>,
        /// 1 to 100 event types, prefixes such as `vault.ingest.*`, or `*`.
        #[serde(default, deserialize_with = "present")]
        #[schema(value_type = Vec<String>, required = false)]
        event_type_filters: Option<Vec<String>>,
        /// `active` enables again.
        #[serde(default, deserialize_with = "name")]
        #[schema(value_type = WantedStatus, required = false)]
        status: Option<WantedStatus>,
    }
);

impl CreatedEndpoint {
    /// The settings and the secret that was brought.
    pub(crate) fn read(mut self) -> Result<(Settings, Option<SigningSecret>), ApiError> {
        let secret = self.signing_secret.as_ref().map(BroughtSecret::parse).transpose()?;
        let settings = Settings {
            event_type_filters: Some(std::mem::take(&mut self.event_type_filters)),
            url: Some(std::mem::take(&mut self.url)),
            ..self.common()
        };
        Ok((settings, secret))
    }
}

impl ChangedEndpoint {
    pub(crate) fn settings(mut self) -> Settings {
        Settings {
            url: self.url.take(),
            event_type_filters: self.event_type_filters.take(),
            status: self.status.and_then(|status| status.as_str().parse().ok()),
            ..self.common()
        }
    }
}

/// A signing secret that a caller brings. It is never shown, nor said in an error.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct BroughtSecret(String);

impl BroughtSecret {
    pub(crate) fn parse(&self) -> Result<SigningSecret, ApiError> {
        SigningSecret::parse(&self.0).map_err(|error| ApiError::invalid("signingSecret", error.to_string()))
    }
}

impl From<ResourceScopes> for schemas::ResourceScopes {
    fn from(scopes: ResourceScopes) -> Self {
        Self {
            vault_ids: scopes.vault_ids,
            matter_ids: scopes.matter_ids,
        }
    }
}

impl From<WantedRateLimit> for RateLimit {
    fn from(limit: WantedRateLimit) -> Self {
        Self {
            per_second: limit.per_second,
            burst: limit.burst,
        }
    }
}
