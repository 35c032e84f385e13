//! `kafka.properties` and `kafka.properties_file`: librdkafka's own settings. They aren't checked here beyond those that
//! Hookline sets itself; librdkafka refuses what it doesn't know.

use super::form::expected;
use toml::{Table, Value};

/// Correctness rests on these, or another key sets them.
const OURS: [(&str, &str); 12] = [
    ("bootstrap.servers", "set kafka.brokers"),
    ("metadata.broker.list", "set kafka.brokers"),
    ("group.instance.id", "set kafka.instance_id"),
    ("group.id", "it follows from kafka.prefix"),
    ("transactional.id", "it follows from kafka.prefix"),
    (
        "allow.auto.create.topics",
        "a late write would bring a deleted topic back",
    ),
    ("enable.auto.commit", "Hookline commits what is done, not what was read"),
    (
        "enable.auto.offset.store",
        "Hookline commits what is done, not what was read",
    ),
    ("enable.idempotence", "without it records could be written twice"),
    ("acks", "without all of them records could be lost"),
    ("isolation.level", "what was aborted must not be read"),
    ("auto.offset.reset", "Hookline always begins at explicit offsets"),
];

/// A flat table of texts, whatever way it was written: `"sasl.password" = "…"` or `sasl.password = "…"`.
pub fn accept(value: Value) -> Result<Value, Vec<String>> {
    let Value::Table(table) = value else {
        return Err(vec![expected("a table", &value)]);
    };
    let (mut flat, mut wrong) = (Table::new(), Vec::new());
    flatten("", table, &mut flat, &mut wrong);
    for name in flat.keys() {
        if let Some((_, why)) = OURS.iter().find(|(ours, _)| ours == name) {
            wrong.push(format!("{name} can't be set here: {why}"));
        }
    }
    if wrong.is_empty() {
        Ok(Value::Table(flat))
    } else {
        Err(wrong)
    }
}

fn flatten(above: &str, table: Table, flat: &mut Table, wrong: &mut Vec<String>) {
    for (name, value) in table {
        let name = if above.is_empty() {
            name
        } else {
            format!("{above}.{name}")
        };
        let text = match value {
            Value::Table(inner) => {
                flatten(&name, inner, flat, wrong);
                continue;
            }
            Value::String(text) => text,
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Boolean(flag) => flag.to_string(),
            other => {
                wrong.push(format!(
                    "{name} {}",
                    expected("a text, a number, true or false", &other)
                ));
                continue;
            }
        };
        flat.insert(name, Value::String(text));
    }
}

/// Reads `key=value` lines; blank ones and those that begin with `#` are passed over. The line's number in an error.
pub fn read_lines(text: &str) -> Result<Table, Vec<String>> {
    let (mut table, mut wrong) = (Table::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                table.insert(name.trim().to_owned(), Value::String(value.trim().to_owned()));
            }
            _ => wrong.push(format!("line {}: must be key=value", index + 1)),
        }
    }
    if wrong.is_empty() { Ok(table) } else { Err(wrong) }
}

/// The property that a variable's last part stands for: `SASL_PASSWORD` is `sasl.password`.
pub fn name_of_variable(part: &str) -> String {
    match part.to_ascii_lowercase().as_str() {
        // The only one that has a `_` of its own.
        "log_level" => "log_level".to_owned(),
        lower => lower.replace('_', "."),
    }
}
