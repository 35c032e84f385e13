//! What holds for all routes and is therefore said once: who may ask, what else may be answered, and headers that answers
//! have. And examples, which a test checks against the schemas.

use crate::error::{Code, ErrorAnswer, ErrorShown};
use serde_json::{Map, Value, json};

/// Bodies by operation id: `{"request", "response"}`.
const EXAMPLES: &str = include_str!("examples.json");
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

pub(super) fn complete(document: &mut Value) {
    document["components"]["securitySchemes"] = security_schemes();
    document["components"]["headers"] = headers();
    document["components"]["responses"] = Code::ALL
        .iter()
        .filter(|code| **code != Code::Internal)
        .map(|code| (code.as_str().to_owned(), refusal(*code)))
        .collect::<Map<_, _>>()
        .into();
    let examples: Value = serde_json::from_str(EXAMPLES).expect("the examples are JSON");
    let Some(paths) = document["paths"].as_object_mut() else {
        return;
    };
    for (path, operations) in paths {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            if METHODS.contains(&method.as_str()) {
                complete_operation(path, method, operation, &examples);
            }
        }
    }
}

fn complete_operation(path: &str, method: &str, operation: &mut Value, examples: &Value) {
    operation["security"] = if path.starts_with("/admin/") {
        json!([{"operatorKey": []}])
    } else {
        json!([{"apiKey": []}, {"operatorKey": [], "actingFor": []}])
    };
    let body = &mut operation["requestBody"];
    if !body.is_null() {
        may_be_left_out(body);
        if let Some(lines) = body.pointer_mut("/content/application~1x-ndjson") {
            // Each line is JSON by itself, which a schema of the whole can't say.
            lines["schema"] = json!({"description": "JSON lines: an object on each line."});
        }
    } else if let Some(operation) = operation.as_object_mut() {
        operation.remove("requestBody");
    }
    let own = &examples[operation["operationId"].as_str().unwrap_or_default()];
    if let Some(example) = own.get("request") {
        give_example(&mut operation["requestBody"], example);
    }
    for answer in operation["responses"].as_object_mut().into_iter().flatten() {
        if let Some(example) = own.get("response") {
            give_example(answer.1, example);
        }
        for name in [
            "x-request-id",
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-ratelimit-reset",
        ] {
            answer.1["headers"][name] = json!({"$ref": format!("#/components/headers/{name}")});
        }
    }
    for code in refusals(method, operation) {
        let reference = format!("#/components/responses/{}", code.as_str());
        operation["responses"][code.status().as_str()] = json!({"$ref": reference});
    }
}

/// A handler says so with `Option`, which the macro takes for null.
fn may_be_left_out(body: &mut Value) {
    let Some(content) = body.pointer_mut("/content/application~1json") else {
        return;
    };
    let alternatives = content["schema"]["oneOf"].as_array();
    if let Some(schema) = alternatives.and_then(|all| all.iter().find(|schema| schema.get("$ref").is_some())) {
        content["schema"] = schema.clone();
        body["required"] = false.into();
    }
}

/// Of JSON alone: lines of JSON have none.
fn give_example(of: &mut Value, example: &Value) {
    if let Some(content) = of.pointer_mut("/content/application~1json") {
        content["example"] = example.clone();
    }
}

/// What a route may answer besides what its own attribute says.
fn refusals(method: &str, operation: &Value) -> Vec<Code> {
    let mut codes = vec![
        Code::InvalidRequest,
        Code::AuthInvalid,
        Code::PermissionDenied,
        // Also a tenant that the operator wants to act for and that doesn't exist.
        Code::NotFound,
        Code::RateLimitExceeded,
        Code::HeadersTooLarge,
        Code::Unavailable,
    ];
    if operation.get("requestBody").is_some() {
        codes.extend([Code::PayloadTooLarge, Code::UnsupportedMediaType]);
    }
    if method != "get" {
        codes.push(Code::Conflict);
    }
    if operation["operationId"] == "replayDelivery" {
        codes.push(Code::Gone);
    }
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    if parameters.clone().any(|parameter| parameter["name"] == "If-Match") {
        codes.push(Code::PreconditionFailed);
    }
    codes
}

fn security_schemes() -> Value {
    json!({
        "apiKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "A tenant's API key.",
        },
        "operatorKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "The operator's key, from the configuration.",
        },
        "actingFor": {
            "type": "apiKey",
            "in": "header",
            "name": "Hookline-Tenant",
            "description": "With the operator's key: the id of the tenant that is acted for.",
        },
    })
}

fn headers() -> Value {
    let number = |description: &str| json!({"description": description, "schema": {"type": "integer", "minimum": 0}});
    json!({
        "x-request-id": {
            "description": "The request's id in Hookline's log: the caller's own, when it sent a sound one.",
            "required": true,
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
        },
        "x-ratelimit-limit": number("How many requests may come at once with this key."),
        "x-ratelimit-remaining": number("How many of them are left."),
        "x-ratelimit-reset": number("Seconds until all of them are there again."),
        "retry-after": number("Seconds after which the same request may succeed."),
        "allow": {"description": "The methods that this path has.", "schema": {"type": "string"}},
        "www-authenticate": {"description": "`Bearer`", "required": true, "schema": {"type": "string"}},
    })
}

/// A refusal, the same wherever it occurs.
fn refusal(code: Code) -> Value {
    let mut names = vec!["x-request-id"];
    match code {
        Code::RateLimitExceeded => {
            names.extend([
                "retry-after",
                "x-ratelimit-limit",
                "x-ratelimit-remaining",
                "x-ratelimit-reset",
            ]);
        }
        Code::Unavailable => names.push("retry-after"),
        Code::AuthInvalid => names.push("www-authenticate"),
        Code::MethodNotAllowed => names.push("allow"),
        _ => {}
    }
    let headers = names.into_iter().map(|name| {
        let reference = json!({"$ref": format!("#/components/headers/{name}")});
        (name.to_owned(), reference)
    });
    let example = ErrorAnswer {
        error: ErrorShown {
            code,
            message: code.meaning().into(),
            details: Vec::new(),
        },
    };
    json!({
        "description": format!("`{}`: {}", code.as_str(), code.meaning()),
        "headers": headers.collect::<Map<_, _>>(),
        "content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/ErrorAnswer"},
            "example": example,
        }},
    })
}
