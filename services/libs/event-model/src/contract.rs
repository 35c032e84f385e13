//! A type's payload contract: its JSON Schema, compiled once, and what is wrong with a payload.
//!
//! Deliberately not here: what follows from a violation (stable types reject, beta types count).

use crate::catalog::TypeInfo;
use jsonschema::{PatternOptions, Validator};
use serde_json::{Value, value::RawValue};
use std::{fmt, sync::OnceLock};

/// Most violations that are reported of one payload.
const MAX_VIOLATIONS: usize = 20;
const MAX_MESSAGE_CHARS: usize = 200;

/// One thing that is wrong with a payload. Never quotes the payload's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON Pointer into the data; empty for the data itself.
    pub path: String,
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data{}: {}", self.path, self.message)
    }
}

/// Checks an event's data against its type's contract. Unknown properties always pass.
pub fn check(event_type: &TypeInfo, data: &RawValue) -> Result<(), Vec<Violation>> {
    event_type.contract().check(data)
}

/// A schema and, once it is needed, its validator.
pub(crate) struct Contract {
    schema: Value,
    compiled: OnceLock<Result<Validator, String>>,
}

impl Contract {
    pub(crate) fn new(schema: Value) -> Self {
        Self {
            schema,
            compiled: OnceLock::new(),
        }
    }

    pub(crate) fn schema(&self) -> &Value {
        &self.schema
    }

    /// The validator, or why the schema is none. Nothing is fetched: a `$ref` over http or file is an error.
    pub(crate) fn compiled(&self) -> Result<&Validator, &str> {
        let compile = || {
            jsonschema::options()
                .offline()
                // Linear in the payload, whatever pattern an operator wrote.
                .with_pattern_options(PatternOptions::regex())
                .build(&self.schema)
                .map_err(|e| e.to_string())
        };
        self.compiled.get_or_init(compile).as_ref().map_err(String::as_str)
    }

    fn check(&self, data: &RawValue) -> Result<(), Vec<Violation>> {
        if self.is_any_object() {
            return match data.get().starts_with('{') {
                true => Ok(()),
                false => Err(vec![violation("", "must be an object")]),
            };
        }
        let validator = self
            .compiled()
            .map_err(|e| vec![violation("", &format!("the type's schema is unusable: {e}"))])?;
        // A number beyond double precision's range or a lone surrogate: JSON by its grammar, but no schema can judge it.
        let data: Value =
            serde_json::from_str(data.get()).map_err(|e| vec![violation("", &format!("can't be checked: {e}"))])?;
        let violations: Vec<_> = validator
            .iter_errors(&data)
            .take(MAX_VIOLATIONS)
            .map(|error| violation(error.instance_path().as_str(), &error.masked().to_string()))
            .collect();
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    /// The loose contract `{"type": "object"}` needs no parsing.
    fn is_any_object(&self) -> bool {
        self.schema
            .as_object()
            .is_some_and(|schema| schema.len() == 1 && schema.get("type").and_then(Value::as_str) == Some("object"))
    }
}

impl fmt::Debug for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.schema, f)
    }
}

fn violation(path: &str, message: &str) -> Violation {
    Violation {
        path: path.to_owned(),
        message: message.chars().take(MAX_MESSAGE_CHARS).collect(),
    }
}
