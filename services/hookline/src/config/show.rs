//! The configuration as text: the default file, and the merged result with secrets redacted.

use super::form::Form;
use super::keys::{KEYS, Key, Support};
use super::layers::Layer;
use std::fmt::Write as _;
use toml::Value;

const REDACTED: &str = "[redacted]";

/// A file with every key at its default, each commented out and explained.
pub fn default_file() -> String {
    let mut text = String::from(
        "# Hookline's configuration: every key with its default. Environment variables win over this file: HOOKLINE_\n\
         # and the key in capitals, `__` between levels (HOOKLINE_KAFKA__BROKERS). Every secret has a twin that names a\n\
         # file instead: secrets.key_file, HOOKLINE_SECRETS__KEY_FILE.\n",
    );
    for (section, keys) in sections() {
        match section {
            Some(section) => write!(text, "\n[{section}]\n").expect("a String takes everything"),
            None => text.push('\n'),
        }
        for key in keys {
            let later = match key.support {
                Support::Full => String::new(),
                Support::Later => " (comes with a later version)".to_owned(),
                Support::LaterValues(values) => {
                    format!(" ({} comes with a later version)", values.join(", "))
                }
            };
            writeln!(text, "# {}{later}", key.meaning).expect("a String takes everything");
            writeln!(text, "# {}", example(key).replace('\n', "\n# ")).expect("a String takes everything");
        }
    }
    text
}

fn example(key: &Key) -> String {
    let name = last_part(key.name);
    match (key.form, key.default) {
        (Form::Sources, _) => {
            "sources = [{ topic = \"hookline.events\", format = \"auto\", tenant = \"field\", start = \"earliest\" }]"
                .to_owned()
        }
        (Form::Properties, _) => {
            format!("{name} = {{ \"security.protocol\" = \"SASL_SSL\", \"sasl.mechanism\" = \"SCRAM-SHA-512\" }}")
        }
        (_, Some(default)) => format!("{name} = {default}"),
        (_, None) => format!("{name} ="),
    }
}

/// The merged values, each with where it comes from.
pub fn merged(values: &Layer) -> String {
    let mut text = String::new();
    for (section, keys) in sections() {
        let mut lines = String::new();
        for key in keys {
            let Some(found) = values.get(key.name) else {
                continue;
            };
            let shown = redacted(key, &found.value);
            writeln!(lines, "{} = {shown}  # {}", last_part(key.name), found.origin)
                .expect("a String takes everything");
        }
        if lines.is_empty() {
            continue;
        }
        let separator = if text.is_empty() { "" } else { "\n" };
        match section {
            Some(section) => write!(text, "{separator}[{section}]\n{lines}").expect("a String takes everything"),
            None => write!(text, "{separator}{lines}").expect("a String takes everything"),
        }
    }
    text
}

fn redacted(key: &Key, value: &Value) -> Value {
    match (key.form, value) {
        (Form::Secret(_), Value::String(text)) if key.default == Some(format!("\"{text}\"").as_str()) => value.clone(),
        (Form::Secret(_), _) => Value::String(REDACTED.to_owned()),
        (Form::Secrets(_), Value::Array(items)) => {
            Value::Array(items.iter().map(|_| Value::String(REDACTED.to_owned())).collect())
        }
        (Form::Properties, Value::Table(table)) => {
            let show = |(name, value): (&String, &Value)| {
                let shown = kafka_log::redact(name, value.as_str().unwrap_or_default());
                (name.clone(), Value::String(shown.to_owned()))
            };
            Value::Table(table.iter().map(show).collect())
        }
        _ => value.clone(),
    }
}

/// Keys by section, those without one first, in the order of the table.
fn sections() -> Vec<(Option<&'static str>, Vec<&'static Key>)> {
    let mut sections: Vec<(Option<&'static str>, Vec<&'static Key>)> = vec![(None, Vec::new())];
    for key in KEYS {
        let section = key.name.rsplit_once('.').map(|(section, _)| section);
        match sections.iter_mut().find(|(name, _)| *name == section) {
            Some((_, keys)) => keys.push(key),
            None => sections.push((section, vec![key])),
        }
    }
    sections
}

fn last_part(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}
