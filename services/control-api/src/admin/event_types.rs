//! `/admin/v1/event_types`: the types that operators add to the catalogs. The built-in ones are compiled in and aren't
//! listed here; an added type of the same name stands before one of them.

use super::{TRIES, changed_all_the_time, check, parameters::PageQuery};
use crate::{
    answer::Answer,
    auth::Operator,
    body::Json,
    error::{ApiError, Code},
    once::{Once, Tried},
    page::Page,
    path::Id,
    precondition::IfMatch,
    query::Query,
    state::Api,
};
use axum::extract::State;
use event_model::TypeInfo;
use http::StatusCode;
use ledger::{Entity, Kind};
use runtime::clock::{now_ms, rfc3339};
use schemas::EventType;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

const MAX_SCHEMA_BYTES: usize = 256 << 10;
const MAX_SCOPE_CHARS: usize = 64;
const MAX_DESCRIPTION_CHARS: usize = 1024;

/// An event type, whole: what is left out has its default.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WantedEventType {
    /// That of the path, when it is there.
    #[serde(default, rename = "type")]
    name: Option<String>,
    /// `stable`: an event that breaks the schema is refused; `beta`: it is counted and delivered.
    stability: String,
    /// What a key needs to receive it; null: nothing.
    #[serde(default)]
    required_scope: Option<String>,
    /// `vault` or `matter`, what its events are about by `data.vaultId` or `data.matterId`; null: neither.
    #[serde(default)]
    resource: Option<String>,
    /// At most 1,024 characters.
    #[serde(default)]
    description: String,
    /// JSON Schema of the event's data; any object when left out.
    #[serde(default = "any_object")]
    #[schema(value_type = Object)]
    payload_schema: Value,
    /// The catalog that it joins: `platform`, `case_events` or `cases`; null: every tenant has it.
    #[serde(default)]
    catalog: Option<String>,
}

/// An event type that was added.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddedEventType {
    #[serde(rename = "type")]
    name: String,
    stability: String,
    required_scope: Option<String>,
    resource: Option<String>,
    description: String,
    #[schema(value_type = Object)]
    payload_schema: Value,
    catalog: Option<String>,
    updated_at: String,
    /// One more with each change; the `ETag` is this in double quotes.
    version: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddedEventTypeAnswer {
    event_type: AddedEventType,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddedEventTypesAnswer {
    /// By name.
    event_types: Vec<AddedEventType>,
    /// Send it back as `cursor` for what follows; null on the last page.
    next_cursor: Option<String>,
}

impl AddedEventType {
    fn new(of: &EventType, version: i64) -> Self {
        Self {
            name: of.name.clone(),
            stability: of.stability.clone(),
            required_scope: of.required_scope.clone(),
            resource: of.resource.clone(),
            description: of.description.clone(),
            payload_schema: serde_json::from_str(&of.payload_schema).unwrap_or_default(),
            catalog: of.catalog.clone(),
            updated_at: rfc3339(of.updated_at_ms),
            version,
        }
    }
}

fn answer(status: StatusCode, of: &EventType, version: i64) -> Answer {
    let event_type = AddedEventType::new(of, version);
    Answer::json(status, &AddedEventTypeAnswer { event_type }).at_version(version)
}

fn any_object() -> Value {
    json!({"type": "object"})
}

impl WantedEventType {
    /// 400 unless the type can be used.
    fn read(self, name: String, now_ms: i64) -> Result<EventType, ApiError> {
        let wrong = |path: &str, message: String| Err(ApiError::invalid(path, message));
        if self.name.is_some_and(|type_in_body| type_in_body != name) {
            return wrong(
                "type",
                format!("the path says `{name}`; leave it out, or send the same"),
            );
        }
        if self.description.chars().count() > MAX_DESCRIPTION_CHARS {
            return wrong(
                "description",
                format!("it has more than {MAX_DESCRIPTION_CHARS} characters"),
            );
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        let is_scope = |scope: &String| (1..=MAX_SCOPE_CHARS).contains(&scope.len()) && scope.chars().all(allowed);
        if !self.required_scope.as_ref().is_none_or(is_scope) {
            let message = format!("a scope has 1 to {MAX_SCOPE_CHARS} letters, digits, `_`, `-`, `.` or `:`");
            return wrong("requiredScope", message);
        }
        let payload_schema = self.payload_schema.to_string();
        if payload_schema.len() > MAX_SCHEMA_BYTES {
            return wrong("payloadSchema", format!("it has more than {MAX_SCHEMA_BYTES} bytes"));
        }
        let event_type = EventType {
            name,
            catalog: self.catalog,
            stability: self.stability,
            required_scope: self.required_scope,
            resource: self.resource,
            description: self.description,
            payload_schema,
            updated_at_ms: now_ms,
        };
        check(&Entity::from(event_type.clone()))?;
        match TypeInfo::try_from(&event_type) {
            Ok(_) => Ok(event_type),
            // All else was checked: the name, or what is no usable schema.
            Err(error) if error.message.contains("schema") => wrong("payloadSchema", error.message),
            Err(error) => wrong("type", error.message),
        }
    }
}

/// Add or replace an event type
#[utoipa::path(
    put,
    path = "/admin/v1/event_types/{type}",
    tag = "Operator: event types",
    operation_id = "putEventType",
    params(crate::openapi::TypeInPath, crate::openapi::IfMatchHeader),
    request_body = WantedEventType,
    responses(
        (status = 200, description = "It is replaced, or was so already.", body = AddedEventTypeAnswer, headers(("etag" = String, description = "Its version, for `If-Match`"))),
        (status = 201, description = "It is added.", body = AddedEventTypeAnswer, headers(("etag" = String, description = "Its version, for `If-Match`"))),
    )
)]
pub(crate) async fn put(
    State(api): State<Api>,
    operator: Operator,
    Id(name): Id,
    if_match: IfMatch,
    body: Json<WantedEventType>,
) -> Result<Answer, ApiError> {
    let wanted = body.value.read(name, now_ms())?;
    let mut view = operator.view;
    for nth in 0..TRIES {
        let found = view.event_type(&wanted.name);
        let version = found.map_or(0, |found| found.version);
        if_match.check(version)?;
        if let Some(found) = found {
            let same = EventType {
                updated_at_ms: found.updated_at_ms,
                ..wanted.clone()
            };
            if same == *found.entity {
                return Ok(answer(StatusCode::OK, found, version));
            }
        }
        let status = if found.is_some() {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        };
        let answer = answer(status, &wanted, version + 1);
        let entity = Entity::from(wanted.clone());
        match api.put(&Once::unkeyed(), nth, entity, version, answer).await {
            Ok(Tried::Answered(answer)) => return Ok(answer),
            Ok(Tried::Conflict) => view = api.fresh().await?,
            // Another one has added it meanwhile, or removed it.
            Err(error) if matches!(error.code, Code::Conflict | Code::NotFound) => view = api.fresh().await?,
            Err(error) => return Err(error),
        }
    }
    Err(changed_all_the_time())
}

/// List event types that were added
///
/// The built-in ones aren't among them.
#[utoipa::path(
    get,
    path = "/admin/v1/event_types",
    tag = "Operator: event types",
    operation_id = "listAddedEventTypes",
    params(crate::openapi::Paging),
    responses((status = 200, description = "One page of them, by name.", body = AddedEventTypesAnswer))
)]
pub(crate) async fn list(operator: Operator, Query(query): Query<PageQuery>) -> Result<Answer, ApiError> {
    let after = query.from();
    let types = operator.view.event_types();
    let wanted = types.filter(|of| after.is_none_or(|after| of.name.as_str() > after));
    let page = Page::take(wanted, query.limit, |of| &of.name).map(|of| Ok(AddedEventType::new(of, of.version)))?;
    let shown = AddedEventTypesAnswer {
        event_types: page.rows,
        next_cursor: page.next,
    };
    Ok(Answer::json(StatusCode::OK, &shown))
}

/// Read an event type that was added
#[utoipa::path(
    get,
    path = "/admin/v1/event_types/{type}",
    tag = "Operator: event types",
    operation_id = "getAddedEventType",
    params(crate::openapi::TypeInPath),
    responses((status = 200, description = "The event type.", body = AddedEventTypeAnswer, headers(("etag" = String, description = "Its version, for `If-Match`"))))
)]
pub(crate) async fn get(
    operator: Operator,
    Id(name): Id,
    Query(crate::query::None {}): Query<crate::query::None>,
) -> Result<Answer, ApiError> {
    let found = operator.view.event_type(&name);
    let found = found.ok_or_else(|| ApiError::not_found("event type that was added"))?;
    Ok(answer(StatusCode::OK, found, found.version))
}

/// Remove an event type that was added
///
/// A built-in one of the same name takes its place again.
#[utoipa::path(
    delete,
    path = "/admin/v1/event_types/{type}",
    tag = "Operator: event types",
    operation_id = "deleteEventType",
    params(crate::openapi::TypeInPath, crate::openapi::IfMatchHeader),
    responses((status = 204, description = "It is removed."))
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    operator: Operator,
    Id(name): Id,
    if_match: IfMatch,
) -> Result<Answer, ApiError> {
    let found = operator.view.event_type(&name);
    let found = found.ok_or_else(|| ApiError::not_found("event type that was added"))?;
    if_match.check(found.version)?;
    api.writer.remove(Kind::EventType, &name, Some(found.version)).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
