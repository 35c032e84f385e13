//! What becomes known of a request while it is answered, for its log line and its answer's headers.

use crate::rate::Left;
use axum::extract::FromRequestParts;
use http::request::Parts;
use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
};

/// Travels in the request's extensions. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(Arc<Noted>);

#[derive(Debug, Default)]
struct Noted {
    tenant: OnceLock<String>,
    left: OnceLock<Left>,
}

impl Notes {
    /// Of a request's parts; notes that nobody reads where there are none.
    pub(crate) fn of(parts: &Parts) -> Self {
        parts.extensions.get::<Self>().cloned().unwrap_or_default()
    }

    pub(crate) fn note_tenant(&self, id: &str) {
        // The first stays: a request has one caller.
        let _ = self.0.tenant.set(id.to_owned());
    }

    pub(crate) fn note_left(&self, left: Left) {
        // The first stays: a request is counted once.
        let _ = self.0.left.set(left);
    }

    pub(crate) fn tenant(&self) -> Option<&str> {
        self.0.tenant.get().map(String::as_str)
    }

    pub(crate) fn left(&self) -> Option<Left> {
        self.0.left.get().copied()
    }
}

impl<S: Sync> FromRequestParts<S> for Notes {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}
