//! `GET /webhooks/v1/event_types`: the types of the tenant's catalogs, with those that operators added.

use crate::{
    answer::Answer,
    auth::ForTenant,
    error::ApiError,
    page::{Cursor, Limit, Page},
    query::Query,
    state::Api,
};
use axum::extract::State;
use event_model::{Resource, TypeInfo};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// All built-in types on one page, for callers that know no cursor.
const DEFAULT_LIMIT: Limit = Limit(200);

/// An event type, or an open family (`cases.tasks.*`): any type below it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventTypeShown {
    #[serde(rename = "type")]
    name: String,
    /// `stable`: its events keep to the schema, which only ever gains optional fields; `beta`: it may change
    stability: String,
    /// What a key needs to receive it; null: nothing
    required_scope: Option<String>,
    /// `vault` or `matter`: what resource scopes go by; null: it has none
    resource: Option<String>,
    description: String,
    /// JSON Schema of the event's data
    #[schema(value_type = Object)]
    payload_schema: Value,
    /// null: every tenant's
    catalog: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventTypesAnswer {
    /// By name.
    event_types: Vec<EventTypeShown>,
    /// Send it back as `cursor` for what follows; null on the last page.
    next_cursor: Option<String>,
}

impl EventTypeShown {
    fn new(info: &TypeInfo) -> Self {
        Self {
            name: info.name.clone(),
            stability: info.stability.as_str().to_owned(),
            required_scope: info.required_scope.clone(),
            resource: info.resource.map(|resource: Resource| resource.as_str().to_owned()),
            description: info.description.clone(),
            payload_schema: info.schema().clone(),
            catalog: info.catalog.clone(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// How many; 200 when left out.
    limit: Option<Limit>,
    /// `nextCursor` of the page before.
    cursor: Option<Cursor>,
}

/// List event types
///
/// Those of the tenant's catalogs, by name, whatever the key's scopes.
#[utoipa::path(
    get,
    path = "/webhooks/v1/event_types",
    tag = "Events",
    operation_id = "listEventTypes",
    params(crate::openapi::Paging),
    responses((status = 200, description = "One page of them.", body = EventTypesAnswer))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: ForTenant,
    Query(query): Query<ListQuery>,
) -> Result<Answer, ApiError> {
    let catalogs = api.catalogs(&caller.view);
    let after = query.cursor.as_ref().map(|cursor| cursor.0.as_str());
    let types = catalogs.list(&caller.tenant.catalogs).into_iter();
    let wanted = types.filter(|info| after.is_none_or(|after| info.name.as_str() > after));
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let page = Page::take(wanted, limit, |info| &info.name).map(|info| Ok(EventTypeShown::new(info)))?;
    let shown = EventTypesAnswer {
        event_types: page.rows,
        next_cursor: page.next,
    };
    Ok(Answer::json(StatusCode::OK, &shown))
}
