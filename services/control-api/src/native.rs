//! The native API, `/webhooks/v1`: camelCase JSON. Each file below is one resource.

pub(crate) mod endpoints;
pub(crate) mod event_types;
pub(crate) mod events;
pub(crate) mod test_send;

use crate::state::Api;
use axum::{
    Router,
    routing::{get, post},
};

pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/endpoints", post(endpoints::create::create).get(endpoints::read::list))
        .route(
            "/endpoints/{id}",
            get(endpoints::read::get)
                .patch(endpoints::change::update)
                .delete(endpoints::change::delete),
        )
        .route("/endpoints/{id}/rotate_secret", post(endpoints::change::rotate_secret))
        .route("/endpoints/{id}/test", post(test_send::test))
        .route("/event_types", get(event_types::list))
        .route("/events", post(events::publish))
}
