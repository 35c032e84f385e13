//! Where values come from: the file, then the environment over it, then the defaults under both. Finds unknown names
//! and wrong forms; what values mean together is checked in `config`.

use super::keys::{self, KEYS, Key, Support};
use super::problem::Problem;
use super::properties;
use std::collections::BTreeMap;
use std::path::Path;
use toml::{Table, Value};

/// A value and where it was written.
#[derive(Debug, Clone)]
pub struct Found {
    pub value: Value,
    pub origin: String,
}

/// Values by the full name of their key.
pub type Layer = BTreeMap<&'static str, Found>;

/// Collects values of one source and what is wrong with them.
pub struct Collector<'a> {
    layer: Layer,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Collector<'a> {
    pub fn new(problems: &'a mut Vec<Problem>) -> Self {
        Self {
            layer: Layer::new(),
            problems,
        }
    }

    pub fn finish(self) -> Layer {
        self.layer
    }

    fn wrong(&mut self, at: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(at, message));
    }

    /// Takes one value in, under `at` in messages.
    fn take(&mut self, key: &'static Key, value: Value, at: &str, origin: String) {
        match key.form.accept(value) {
            Err(messages) => messages.into_iter().for_each(|message| self.wrong(at, message)),
            Ok(value) => {
                if let Err(message) = supported(key, &value) {
                    self.wrong(at, message);
                } else if self.layer.insert(key.name, Found { value, origin }).is_some() {
                    self.wrong(at, format!("{0} and {0}_file are both given; keep one", key.name));
                }
            }
        }
    }

    /// Takes in what a secret's file holds: one value, or one a line.
    fn take_file(&mut self, key: &'static Key, path: &str, at: &str) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.wrong(at, format!("can't read the file: {error}")),
        };
        let value = if matches!(key.form, super::form::Form::Secrets(_)) {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            Value::Array(lines.map(|line| Value::String(line.to_owned())).collect())
        } else {
            Value::String(text.trim_end_matches(['\r', '\n']).to_owned())
        };
        self.take(key, value, at, format!("the file that {}_file names", key.name));
    }

    /// Everything in a TOML file.
    pub fn read_file(&mut self, path: &Path) {
        let at = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.wrong(at, format!("can't read it: {error}")),
        };
        match text.parse::<Table>() {
            Ok(table) => self.walk("", table, &at),
            // Only its message: the error's own rendering repeats the line, which may hold a secret.
            Err(error) => {
                let line = error
                    .span()
                    .map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count());
                let message = error.message().lines().next().unwrap_or_default().to_owned();
                self.wrong(format!("{at}, line {}", line + 1), format!("is not TOML: {message}"));
            }
        }
    }

    fn walk(&mut self, above: &str, table: Table, file: &str) {
        for (name, value) in table {
            let name = if above.is_empty() {
                name
            } else {
                format!("{above}.{name}")
            };
            let below = format!("{name}.");
            if let Some(key) = keys::find(&name) {
                self.take(key, value, &name, file.to_owned());
            } else if let Some(key) = keys::find_twin(&name) {
                match value {
                    Value::String(path) => self.take_file(key, &path, &name),
                    other => self.wrong(&name, super::form::expected("a file's path", &other)),
                }
            } else if KEYS.iter().any(|key| key.name.starts_with(&below)) {
                match value {
                    Value::Table(inner) => self.walk(&name, inner, file),
                    other => self.wrong(&name, super::form::expected("a table", &other)),
                }
            } else {
                let nearest = keys::nearest(&name);
                self.wrong(&name, format!("there is no such key; did you mean `{nearest}`?"));
            }
        }
    }

    /// Every variable that is Hookline's configuration.
    pub fn read_environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        let mut kafka = Table::new();
        for (variable, text) in variables {
            let Some(rest) = variable.strip_prefix("HOOKLINE_") else {
                continue;
            };
            if is_ignored(&variable) {
                continue;
            }
            let name = rest.to_lowercase().replace("__", ".");
            if let Some(property) = rest.strip_prefix("KAFKA__PROPERTIES__") {
                kafka.insert(properties::name_of_variable(property), Value::String(text));
            } else if let Some(key) = keys::find(&name) {
                match key.form.read_text(&text) {
                    Ok(value) => self.take(key, value, &variable, variable.clone()),
                    Err(message) => self.wrong(&variable, message),
                }
            } else if let Some(key) = keys::find_twin(&name) {
                self.take_file(key, &text, &variable);
            } else {
                let nearest = keys::nearest(&name).to_uppercase().replace('.', "__");
                self.wrong(
                    &variable,
                    format!("there is no such key; did you mean `HOOKLINE_{nearest}`?"),
                );
            }
        }
        if !kafka.is_empty() {
            let key = keys::find("kafka.properties").expect("it is in the table of keys");
            self.take(
                key,
                Value::Table(kafka),
                "HOOKLINE_KAFKA__PROPERTIES__…",
                "HOOKLINE_KAFKA__PROPERTIES__…".to_owned(),
            );
        }
    }
}

fn supported(key: &Key, value: &Value) -> Result<(), String> {
    let is_default = default_value(key).as_ref() == Some(value);
    match key.support {
        Support::Later if !is_default => {
            Err("this version does not do it yet, it comes with a later one; leave it out".to_owned())
        }
        Support::LaterValues(values) if value.as_str().is_some_and(|text| values.contains(&text)) => Err(format!(
            "{} comes with a later version; leave it out",
            value.as_str().unwrap_or_default()
        )),
        _ => Ok(()),
    }
}

/// A key's default, read.
pub fn default_value(key: &Key) -> Option<Value> {
    let text = format!("value = {}", key.default?);
    let mut table = text
        .parse::<Table>()
        .expect("the defaults in the table of keys are TOML");
    table.remove("value")
}

/// What others put under our prefix: the client's own variables, tests', and what Kubernetes injects for a Service that
/// is called hookline.
fn is_ignored(variable: &str) -> bool {
    const KNOWN: [&str; 5] = [
        "HOOKLINE_URL",
        "HOOKLINE_API_KEY",
        "HOOKLINE_CRASH_AT",
        "HOOKLINE_BIN",
        "HOOKLINE_KEEP_KAFKA",
    ];
    if KNOWN.contains(&variable) || variable.starts_with("HOOKLINE_TEST_") {
        return true;
    }
    let has_port_number = || {
        variable.match_indices("_PORT_").any(|(at, found)| {
            let rest = &variable[at + found.len()..];
            let protocol = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            protocol.len() < rest.len() && ["_TCP", "_UDP", "_SCTP"].iter().any(|name| protocol.starts_with(name))
        })
    };
    // No Service's variable has two underscores side by side, and every key of two levels does.
    !variable.contains("__")
        && (variable.ends_with("_SERVICE_HOST")
            || variable.contains("_SERVICE_PORT")
            || variable.ends_with("PORT")
            || has_port_number())
}
