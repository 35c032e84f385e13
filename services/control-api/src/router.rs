//! All routes, and what is answered where there is none.

use crate::{
    admin,
    error::{ApiError, Code},
    head, native,
    observe::observe,
    openapi,
    state::Api,
    tenant_api,
};
use axum::{Router, extract::DefaultBodyLimit, middleware};

pub(crate) fn router(api: Api) -> Router {
    routes()
        // Each route's extractor has its own limit.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(head::bound))
        .layer(middleware::from_fn(observe))
        .with_state(api)
}

pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .nest("/admin/v1", admin::routes())
        .nest("/webhooks/v1", native::routes())
        .nest("/v2.3/webhooks", tenant_api::routes())
        .merge(openapi::routes())
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(no_route)
}

async fn no_route() -> ApiError {
    ApiError::new(Code::NotFound, "there is nothing at this path")
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(
        Code::MethodNotAllowed,
        "this path has other methods; see the header Allow",
    )
}
