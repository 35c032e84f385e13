//! An entity as a line: the record's own field names, encrypted bytes as base64. What a line leaves out has its default, so
//! an older export can be read; what this version doesn't know is refused, so that nothing is lost without a word.

use crate::{Entity, Kind, entities, rules::check_shape};
use base64::{Engine, engine::general_purpose::STANDARD};
use schemas::{ApiKey, EventType};
use serde_json::{Map, Value, json};

/// Fields of an endpoint that hold sealed bytes; the values of `headers` and what is in `former_secrets` do, too.
const SEALED: [&str; 4] = [
    "signing_secret",
    "previous_signing_secret",
    "signing_key",
    "previous_signing_key",
];
/// The same of each of `former_secrets`.
const FORMER_SEALED: [&str; 2] = ["secret", "key"];

pub(super) fn line(version: i64, entity: &Entity) -> Value {
    let mut fields = fields(entity);
    if entity.kind() == Kind::Endpoint {
        for_sealed(&mut fields, |value| *value = encoded(value));
    }
    json!({ "kind": entity.kind().as_str(), "id": entity.id(), "version": version, "entity": fields })
}

pub(super) fn read(mut line: Map<String, Value>) -> Result<Entity, String> {
    let kind = line.remove("kind").unwrap_or_default();
    let kind = Kind::parse(kind.as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
    let Some(Value::Object(given)) = line.remove("entity") else {
        return Err("it has no `entity`".to_owned());
    };
    let mut fields = blank(kind)?;
    for (name, value) in given {
        match fields.get_mut(&name) {
            Some(field) => *field = value,
            None => {
                return Err(format!(
                    "{kind} has no field `{name}` in this version; use the version that exported it"
                ));
            }
        }
    }
    if kind == Kind::Endpoint {
        let mut problem = None;
        for_sealed(&mut fields, |value| match decoded(value) {
            Ok(bytes) => *value = bytes,
            Err(error) => problem = Some(error),
        });
        if let Some(problem) = problem {
            return Err(problem);
        }
    }
    let entity = entity(kind, Value::Object(fields))?;
    if line.remove("id").is_some_and(|id| id != entity.id()) {
        return Err(format!("its id is not that of the {kind} in it, {}", entity.id()));
    }
    check_shape(&entity).map_err(|refusal| refusal.message)?;
    Ok(entity)
}

fn entity(kind: Kind, fields: Value) -> Result<Entity, String> {
    let entity = match kind {
        Kind::Tenant => serde_json::from_value(fields).map(Entity::Tenant),
        Kind::Key => serde_json::from_value(fields).map(Entity::Key),
        Kind::Endpoint => serde_json::from_value(fields).map(Entity::Endpoint),
        Kind::EventType => serde_json::from_value(fields).map(Entity::EventType),
        Kind::Job | Kind::Schema | Kind::Installation => return Err(not_configuration(kind)),
    };
    entity.map_err(|error| format!("{kind}: {error}"))
}

fn fields(entity: &Entity) -> Map<String, Value> {
    let value = match entity {
        Entity::Tenant(e) => serde_json::to_value(e),
        Entity::Key(e) => serde_json::to_value(e),
        Entity::Endpoint(e) => serde_json::to_value(e),
        Entity::EventType(e) => serde_json::to_value(e),
        Entity::Job(e) => serde_json::to_value(e),
        Entity::Schema(e) => serde_json::to_value(e),
        Entity::Installation(e) => serde_json::to_value(e),
    };
    match value {
        Ok(Value::Object(fields)) => fields,
        _ => unreachable!("a record with named fields and text keys is a JSON object"),
    }
}

/// Every field, with what it is when a line leaves it out.
fn blank(kind: Kind) -> Result<Map<String, Value>, String> {
    let entity = match kind {
        Kind::Tenant => Entity::from(entities::new_tenant("", Vec::new(), 0)),
        Kind::Endpoint => Entity::from(entities::new_endpoint("", "", Vec::new(), 0)),
        Kind::Key => Entity::from(ApiKey {
            id: String::new(),
            tenant: String::new(),
            hash: String::new(),
            scopes: Vec::new(),
            expires_at_ms: None,
            created_at_ms: 0,
        }),
        Kind::EventType => Entity::from(EventType {
            name: String::new(),
            catalog: None,
            stability: "stable".to_owned(),
            required_scope: None,
            resource: None,
            description: String::new(),
            payload_schema: "true".to_owned(),
            updated_at_ms: 0,
        }),
        Kind::Job | Kind::Schema | Kind::Installation => return Err(not_configuration(kind)),
    };
    let mut fields = fields(&entity);
    // Its maker gave it an id; a line must bring its own.
    if let Some(id) = fields.get_mut("id") {
        *id = Value::String(String::new());
    }
    Ok(fields)
}

fn not_configuration(kind: Kind) -> String {
    format!("a {kind} is no configuration and can't be imported")
}

/// Does something to each field that holds sealed bytes, as far as it is set.
fn for_sealed(fields: &mut Map<String, Value>, mut change: impl FnMut(&mut Value)) {
    for name in SEALED {
        if let Some(value) = fields.get_mut(name)
            && !value.is_null()
        {
            change(value);
        }
    }
    let former = fields.get_mut("former_secrets").and_then(Value::as_array_mut);
    for former in former.into_iter().flatten() {
        for name in FORMER_SEALED {
            if let Some(value) = former.get_mut(name)
                && !value.is_null()
            {
                change(value);
            }
        }
    }
    if let Some(Value::Object(headers)) = fields.get_mut("headers") {
        headers.values_mut().for_each(change);
    }
}

/// Numbers to base64.
fn encoded(bytes: &Value) -> Value {
    let numbers = bytes.as_array().into_iter().flatten();
    let bytes: Vec<u8> = numbers.filter_map(|number| number.as_u64()?.try_into().ok()).collect();
    Value::String(STANDARD.encode(bytes))
}

fn decoded(text: &Value) -> Result<Value, String> {
    // An endpoint's blank has no secret; it is found missing by the rules.
    if text.as_array().is_some_and(Vec::is_empty) {
        return Ok(text.clone());
    }
    let bytes = text.as_str().and_then(|text| STANDARD.decode(text).ok());
    bytes
        .map(Value::from)
        .ok_or_else(|| "an encrypted value isn't base64".to_owned())
}
