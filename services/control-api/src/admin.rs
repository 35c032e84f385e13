//! The operator's API, `/admin/v1`: tenants and their keys, event types, backup of the configuration. Each file below is one
//! resource.

pub(crate) mod backup;
pub(crate) mod event_types;
pub(crate) mod keys;
mod parameters;
pub(crate) mod tenants;

use crate::{error::ApiError, state::Api};
use axum::{
    Router,
    routing::{delete, get, post, put},
};
use ledger::Entity;

/// Whose the operator's repeatable requests are: no tenant's.
const SCOPE: &str = "operator";
/// Tries while others change the same entity.
const TRIES: usize = 30;

pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/tenants", post(tenants::create).get(tenants::list))
        .route(
            "/tenants/{id}",
            get(tenants::get).patch(tenants::update).delete(tenants::delete),
        )
        .route("/tenants/{id}/keys", post(keys::create).get(keys::list))
        .route("/tenants/{id}/keys/{keyId}", delete(keys::revoke))
        .route("/event_types", get(event_types::list))
        .route(
            "/event_types/{type}",
            put(event_types::put).get(event_types::get).delete(event_types::delete),
        )
        .route("/ledger/export", get(backup::export))
        .route("/ledger/import", post(backup::import))
}

/// 400 unless the clerk would take it, as far as it rests on nothing else.
fn check(entity: &Entity) -> Result<(), ApiError> {
    ledger::check(entity).map_err(|unfit| ApiError::invalid(unfit.field, unfit.message))
}

fn changed_all_the_time() -> ApiError {
    ApiError::conflict("it is being changed by others all the time; try again")
}
