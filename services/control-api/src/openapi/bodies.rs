//! Bodies that routes read and write by hand, as the document describes them.

#![allow(dead_code, reason = "they are read by the macro alone")]

use crate::native::events::{EventTaken, EventsTaken};
use utoipa::ToSchema;

/// An event to publish.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishedEvent {
    /// Your own, at most 256 characters; one is made when left out. The same id twice is the same event.
    #[schema(max_length = 256, required = false)]
    id: String,
    /// A type of the tenant's catalogs.
    #[schema(example = "vault.ingest.completed")]
    r#type: String,
    /// The key's own tenant; may be left out.
    #[schema(required = false)]
    tenant: String,
    /// RFC 3339; now when left out.
    #[schema(required = false, format = DateTime)]
    occurred_at: String,
    /// What it is about, as the type's `payloadSchema` says.
    #[schema(value_type = Object)]
    data: (),
}

/// One event, or a batch.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum PublishedEvents {
    One(PublishedEvent),
    /// Each as one alone would be. What isn't gets an error in its place, and the others are taken.
    Many(Vec<serde_json::Value>),
}

/// What became of one event, or of each of a batch in their order.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum Published {
    One(EventTaken),
    Many(EventsTaken),
}
