//! Parts of a path. What can't be an id names nothing: 404.

use crate::error::ApiError;
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

/// The one `{id}` of a route.
#[derive(Debug, Clone)]
pub(crate) struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(ApiError::not_found("id")),
        }
    }
}
