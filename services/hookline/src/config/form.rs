//! The forms that values take, and how they are read: from TOML as they are, from the environment as text. Which key
//! has which form is in `keys`.

use super::checks::Check;
use super::{properties, sources};
use toml::Value;

/// The form of a value, with what it may be.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    Text(Check),
    Choice(&'static [&'static str]),
    /// Has a `_file` twin, and is never shown.
    Secret(Check),
    Secrets(Check),
    Bool,
    /// Least and most.
    Integer(i64, i64),
    /// Least and most.
    Number(f64, f64),
    Integers {
        least: i64,
        most: i64,
        /// Fewest and most values.
        counts: (usize, usize),
    },
    Texts(Check),
    /// The list `sources`.
    Sources,
    /// The table `kafka.properties`.
    Properties,
}

impl Form {
    pub fn is_secret(&self) -> bool {
        matches!(self, Self::Secret(_) | Self::Secrets(_))
    }

    /// The value in its normal form, or everything that is wrong with it.
    pub fn accept(&self, value: Value) -> Result<Value, Vec<String>> {
        let one = |result: Result<Value, String>| result.map_err(|message| vec![message]);
        match *self {
            Self::Text(check) | Self::Secret(check) => one(text(value, check)),
            Self::Choice(choices) => one(choice(value, choices)),
            Self::Bool => one(match value {
                Value::Boolean(_) => Ok(value),
                other => Err(expected("true or false", &other)),
            }),
            Self::Integer(least, most) => one(integer(value, least, most)),
            Self::Number(least, most) => one(number(value, least, most)),
            Self::Texts(check) | Self::Secrets(check) => list(value, |item| text(item, check)),
            Self::Integers {
                least,
                most,
                counts: (fewest, highest),
            } => match list(value, |item| integer(item, least, most))? {
                Value::Array(items) if !(fewest..=highest).contains(&items.len()) => Err(vec![format!(
                    "{} values; {fewest} to {highest} are allowed",
                    items.len()
                )]),
                accepted => Ok(accepted),
            },
            Self::Sources => sources::accept(value),
            Self::Properties => properties::accept(value),
        }
    }

    /// Reads a variable's text; [`Form::accept`] follows.
    pub fn read_text(&self, text: &str) -> Result<Value, String> {
        let trimmed = text.trim();
        match self {
            Self::Text(_) | Self::Secret(_) | Self::Choice(_) => Ok(Value::String(text.to_owned())),
            Self::Bool => trimmed
                .parse()
                .map(Value::Boolean)
                .map_err(|_| "must be true or false".to_owned()),
            Self::Integer(least, most) => whole(trimmed, *least, *most),
            Self::Number(least, most) => trimmed
                .parse()
                .map(Value::Float)
                .map_err(|_| format!("must be a number, {least} to {most}")),
            Self::Integers { least, most, .. } => items(trimmed, |item| whole(item, *least, *most)),
            Self::Texts(_) | Self::Secrets(_) => items(trimmed, |item| Ok(Value::String(item.to_owned()))),
            Self::Sources => json(trimmed),
            Self::Properties => Err(
                "set each property by a variable of its own, such as HOOKLINE_KAFKA__PROPERTIES__SECURITY_PROTOCOL"
                    .to_owned(),
            ),
        }
    }
}

fn whole(text: &str, least: i64, most: i64) -> Result<Value, String> {
    text.parse()
        .map(Value::Integer)
        .map_err(|_| format!("must be a whole number, {least} to {most}"))
}

/// A list in a variable: JSON, or separated by commas.
fn items(text: &str, read: impl Fn(&str) -> Result<Value, String>) -> Result<Value, String> {
    if text.starts_with('[') {
        return json(text);
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    Ok(Value::Array(parts.map(read).collect::<Result<_, _>>()?))
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| {
        // serde's own words may repeat what is written there.
        format!("must be a JSON list (what is wrong is at column {})", error.column())
    })
}

fn text(value: Value, check: Check) -> Result<Value, String> {
    match value {
        Value::String(text) => check(&text).map(|()| Value::String(text)),
        other => Err(expected("a text", &other)),
    }
}

fn choice(value: Value, choices: &[&str]) -> Result<Value, String> {
    match value {
        Value::String(text) if choices.contains(&text.as_str()) => Ok(Value::String(text)),
        Value::String(text) => Err(format!("`{text}` is none of {}", choices.join(", "))),
        other => Err(expected(&format!("one of {}", choices.join(", ")), &other)),
    }
}

fn integer(value: Value, least: i64, most: i64) -> Result<Value, String> {
    match value {
        Value::Integer(number) if (least..=most).contains(&number) => Ok(value),
        Value::Integer(number) => Err(format!("{number} is outside {least} to {most}")),
        other => Err(expected(&format!("a whole number, {least} to {most}"), &other)),
    }
}

fn number(value: Value, least: f64, most: f64) -> Result<Value, String> {
    let number = match value {
        #[expect(clippy::cast_precision_loss, reason = "what is that large is refused either way")]
        Value::Integer(number) => number as f64,
        Value::Float(number) => number,
        other => return Err(expected(&format!("a number, {least} to {most}"), &other)),
    };
    if (least..=most).contains(&number) {
        Ok(Value::Float(number))
    } else {
        Err(format!("{number} is outside {least} to {most}"))
    }
}

fn list(value: Value, accept: impl Fn(Value) -> Result<Value, String>) -> Result<Value, Vec<String>> {
    let Value::Array(items) = value else {
        return Err(vec![expected("a list", &value)]);
    };
    let (mut accepted, mut wrong) = (Vec::with_capacity(items.len()), Vec::new());
    for (index, item) in items.into_iter().enumerate() {
        match accept(item) {
            Ok(item) => accepted.push(item),
            Err(message) => wrong.push(format!("item {}: {message}", index + 1)),
        }
    }
    if wrong.is_empty() {
        Ok(Value::Array(accepted))
    } else {
        Err(wrong)
    }
}

/// "must be a text, not a list"
pub fn expected(what: &str, found: &Value) -> String {
    let found = match found {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a time",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    };
    format!("must be {what}, not {found}")
}
