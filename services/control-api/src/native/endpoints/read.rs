//! `GET /webhooks/v1/endpoints` and `GET /webhooks/v1/endpoints/{id}`.

use super::shown::{EndpointAnswer, EndpointShown, EndpointsAnswer};
use crate::{
    answer::Answer,
    auth::Manager,
    endpoints,
    error::ApiError,
    openapi::EndpointInPath,
    page::{Cursor, Limit, Page},
    path::Id,
    query::Query,
    state::Api,
};
use axum::extract::State;
use http::StatusCode;
use runtime::clock::now_ms;
use serde::Deserialize;
use utoipa::{
    IntoParams,
    openapi::{Object, RefOr, Schema, Type},
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only endpoints of this status.
    #[param(inline, schema_with = any_status, required = false)]
    status: Option<Status>,
    /// How many; 50 when left out.
    #[serde(default)]
    #[param(value_type = u8, minimum = 1, maximum = 200, required = false)]
    limit: Limit,
    /// `nextCursor` of the page before.
    #[param(value_type = String, required = false)]
    cursor: Option<Cursor>,
}

const STATUSES: [&str; 4] = ["active", "disabled", "auto_disabled", "paused"];

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Status(String);

impl TryFrom<String> for Status {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if STATUSES.contains(&text.as_str()) {
            Ok(Self(text))
        } else {
            Err("status is one of active, disabled, auto_disabled, paused")
        }
    }
}

fn any_status() -> impl Into<RefOr<Schema>> {
    Object::builder().schema_type(Type::String).enum_values(Some(STATUSES))
}

/// List endpoints
///
/// Newest first, without secrets.
#[utoipa::path(
    get,
    path = "/webhooks/v1/endpoints",
    tag = "Endpoints",
    operation_id = "listEndpoints",
    params(ListQuery),
    responses((status = 200, description = "One page of them.", body = EndpointsAnswer))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Manager(caller): Manager,
    Query(query): Query<ListQuery>,
) -> Result<Answer, ApiError> {
    let before = query.cursor.as_ref().map(|cursor| cursor.0.as_str());
    let wanted = endpoints::list(&caller.view, &caller.tenant, before)
        .filter(|endpoint| query.status.as_ref().is_none_or(|status| endpoint.status == status.0));
    let now_ms = now_ms();
    let page = Page::take(wanted, query.limit, |endpoint| &endpoint.id);
    let ids: Vec<&str> = page.rows.iter().map(|endpoint| endpoint.id.as_str()).collect();
    let figures = api.figures(&ids).await;
    let page = page.map(|endpoint| {
        let shown = EndpointShown::new(&api, endpoint, endpoint.version, now_ms)?;
        Ok(shown.with(figures.get(&endpoint.id)))
    })?;
    let shown = EndpointsAnswer {
        endpoints: page.rows,
        next_cursor: page.next,
    };
    Ok(Answer::json(StatusCode::OK, &shown))
}

/// Read an endpoint
#[utoipa::path(
    get,
    path = "/webhooks/v1/endpoints/{id}",
    tag = "Endpoints",
    operation_id = "getEndpoint",
    params(EndpointInPath),
    responses((status = 200, description = "The endpoint.", body = EndpointAnswer, headers(("etag" = String, description = "Its version, for `If-Match`"))))
)]
pub(crate) async fn get(
    State(api): State<Api>,
    Manager(caller): Manager,
    Id(id): Id,
    Query(crate::query::None {}): Query<crate::query::None>,
) -> Result<Answer, ApiError> {
    let endpoint = endpoints::find(&caller.view, &caller.tenant, &id)?;
    let figures = api.figures(&[id.as_str()]).await;
    let shown = EndpointShown::new(&api, endpoint, endpoint.version, now_ms())?.with(figures.get(&id));
    Ok(Answer::json(StatusCode::OK, &EndpointAnswer { endpoint: shown }).at_version(endpoint.version))
}
