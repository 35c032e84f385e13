//! The native API, `/webhooks/v1`: camelCase JSON. Each file below is one resource.

pub(crate) mod deliveries;
pub(crate) mod endpoints;
pub(crate) mod event_types;
pub(crate) mod events;
pub(crate) mod jobs;
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
        .route("/endpoints/{id}/replay", post(endpoints::replay::replay))
        .route("/deliveries", get(deliveries::list::list))
        .route("/deliveries/{id}", get(deliveries::read::get))
        .route("/deliveries/{id}/replay", post(deliveries::replay::replay))
        .route("/jobs/{id}", get(jobs::get))
        .route("/jobs/{id}/cancel", post(jobs::cancel))
        .route("/event_types", get(event_types::list))
        .route("/events", post(events::publish))
        .route("/events/{id}", get(events::read::get))
}
