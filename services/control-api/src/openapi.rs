//! The OpenAPI 3.1 document of the HTTP API: what the attributes of handlers and bodies say, completed by what holds for
//! all routes (`complete`), and served with a page for people (`page`). `schemas/openapi.json` is a copy of it; a test
//! fails when it is another one.

mod bodies;
mod complete;
mod page;
mod parameters;
#[cfg(test)]
mod tests;

pub(crate) use bodies::{Published, PublishedEvents};
pub(crate) use parameters::{
    DeliveryInPath, EndpointInPath, EventInPath, IdempotencyHeader, IfMatchHeader, JobInPath, Paging, TenantInPath,
    TypeInPath,
};

use crate::{
    admin,
    error::ErrorAnswer,
    native::{self, endpoints as native_endpoints},
    state::Api,
    tenant_api,
};
use axum::{Router, routing::get};
use http::header;
use serde_json::Value;
use std::sync::LazyLock;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hookline",
        description = "Manages webhook endpoints and publishes events. `/webhooks/v1` is the native API, `/v2.3` shows the \
                       same endpoints in another shape, `/admin/v1` is the operator's. Every error has the same body; its \
                       codes are described one by one in docs/errors. A body has only fields that are named here, and at \
                       most one of each.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "Where this document was read")),
    paths(
        native_endpoints::create::create,
        native_endpoints::read::list,
        native_endpoints::read::get,
        native_endpoints::change::update,
        native_endpoints::change::delete,
        native_endpoints::change::rotate_secret,
        native::test_send::test,
        native::event_types::list,
        native::events::publish,
        native::events::read::get,
        native::deliveries::list::list,
        native::deliveries::read::get,
        native::deliveries::replay::replay,
        native_endpoints::replay::replay,
        native::jobs::get,
        native::jobs::cancel,
        tenant_api::list,
        tenant_api::create,
        tenant_api::read,
        tenant_api::update,
        tenant_api::delete,
        admin::tenants::create,
        admin::tenants::list,
        admin::tenants::get,
        admin::tenants::update,
        admin::tenants::delete,
        admin::keys::create,
        admin::keys::list,
        admin::keys::revoke,
        admin::event_types::list,
        admin::event_types::put,
        admin::event_types::get,
        admin::event_types::delete,
        admin::backup::export,
        admin::backup::import,
    ),
    components(schemas(ErrorAnswer)),
    tags(
        (name = "Endpoints", description = "Where deliveries are sent, for which events, and how."),
        (name = "Deliveries", description = "What became of events, and sending them again."),
        (name = "Events", description = "Publishing without a Kafka client, and what there is to subscribe to."),
        (name = "Tenant API", description = "The same endpoints in snake_case, every answer in `{\"data\": …}`."),
        (name = "Operator: tenants", description = "Tenants and their API keys."),
        (name = "Operator: event types", description = "Types beside the built-in ones."),
        (name = "Operator: ledger", description = "Backup of the configuration."),
    ),
)]
struct Document;

/// The whole document.
pub(crate) fn document() -> Value {
    let mut document = serde_json::to_value(Document::openapi()).expect("it has text keys");
    complete::complete(&mut document);
    document
}

/// Routes that need no key.
pub(crate) fn routes() -> Router<Api> {
    Router::new().route("/openapi.json", get(served)).merge(page::routes())
}

async fn served() -> ([(header::HeaderName, &'static str); 1], &'static str) {
    static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());
    ([(header::CONTENT_TYPE, "application/json")], &TEXT)
}
