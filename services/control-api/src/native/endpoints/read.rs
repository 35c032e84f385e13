//! `GET /webhooks/v1/endpoints` and `GET /webhooks/v1/endpoints/{id}`.

use super::shown::{EndpointAnswer, EndpointShown, EndpointsAnswer};
use crate::{
    answer::Answer,
    auth::Manager,
    endpoints,
    error::ApiError,
    page::{Cursor, Limit, Page},
    path::Id,
    query::Query,
    state::Api,
};
use axum::extract::State;
use http::StatusCode;
use runtime::clock::now_ms;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    status: Option<Status>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<Cursor>,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Status(String);

impl TryFrom<String> for Status {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if ["active", "disabled", "auto_disabled", "paused"].contains(&text.as_str()) {
            Ok(Self(text))
        } else {
            Err("status is one of active, disabled, auto_disabled, paused")
        }
    }
}

pub(crate) async fn list(
    State(api): State<Api>,
    Manager(caller): Manager,
    Query(query): Query<ListQuery>,
) -> Result<Answer, ApiError> {
    let before = query.cursor.as_ref().map(|cursor| cursor.0.as_str());
    let wanted = endpoints::list(&caller.view, &caller.tenant, before)
        .filter(|endpoint| query.status.as_ref().is_none_or(|status| endpoint.status == status.0));
    let now_ms = now_ms();
    let page = Page::take(wanted, query.limit, |endpoint| &endpoint.id)
        .map(|endpoint| EndpointShown::new(&api, endpoint, endpoint.version, now_ms))?;
    let shown = EndpointsAnswer {
        endpoints: page.rows,
        next_cursor: page.next,
    };
    Ok(Answer::json(StatusCode::OK, &shown))
}

pub(crate) async fn get(
    State(api): State<Api>,
    Manager(caller): Manager,
    Id(id): Id,
    Query(crate::query::None {}): Query<crate::query::None>,
) -> Result<Answer, ApiError> {
    let endpoint = endpoints::find(&caller.view, &caller.tenant, &id)?;
    let shown = EndpointShown::new(&api, endpoint, endpoint.version, now_ms())?;
    Ok(Answer::json(StatusCode::OK, &EndpointAnswer { endpoint: shown }).at_version(endpoint.version))
}
