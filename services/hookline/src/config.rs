//! Configuration: a TOML file, the environment over it, defaults under both. Unknown keys are refused, and everything
//! that is wrong is reported at once. What the values do is the commands' business.

mod checks;
mod form;
mod keys;
mod layers;
mod problem;
mod properties;
mod secret;
mod settings;
mod show;
mod sources;
#[cfg(test)]
mod tests;

use layers::{Collector, Found, Layer};
use std::path::Path;
use toml::{Table, Value};

pub use problem::{Problem, Problems};
pub use secret::Secret;
pub use settings::Config;
pub use show::default_file;
pub use sources::{Source, SourceStart};

/// A configuration, and how it came about.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    values: Layer,
}

impl Loaded {
    /// The merged values as TOML, secrets redacted, each with where it was set.
    pub fn shown(&self) -> String {
        show::merged(&self.values)
    }
}

/// Reads, merges and checks. `required` names keys without a default that the command can't do without.
///
/// # Errors
/// [`Problems`]: everything that is wrong, in the file and in the environment.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    required: &[&str],
) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let mut collector = Collector::new(&mut problems);
    if let Some(path) = file {
        collector.read_file(path);
    }
    let from_file = collector.finish();
    let mut collector = Collector::new(&mut problems);
    collector.read_environment(environment);
    let from_environment = collector.finish();

    let mut values = defaults();
    let properties = merge_properties(&from_file, &from_environment, &mut problems);
    values.extend(from_file);
    values.extend(from_environment);
    values.extend(properties);
    check_together(&values, &mut problems);
    check_required(required, &values, &mut problems);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let config = nested(&values)
        .try_into()
        .map_err(|error: toml::de::Error| Problems(vec![Problem::new("the configuration", error.message())]))?;
    Ok(Loaded { config, values })
}

fn defaults() -> Layer {
    let with_default = keys::KEYS
        .iter()
        .filter_map(|key| Some((key.name, layers::default_value(key)?)));
    with_default
        .map(|(name, value)| {
            (
                name,
                Found {
                    value,
                    origin: "default".to_owned(),
                },
            )
        })
        .collect()
}

/// `kafka.properties` one by one: those of `kafka.properties_file` under those of the file, under the environment's.
fn merge_properties(file: &Layer, environment: &Layer, problems: &mut Vec<Problem>) -> Layer {
    const NAME: &str = "kafka.properties";
    let mut merged = Table::new();
    let mut origins = Vec::new();
    let listed = [environment, file]
        .into_iter()
        .find_map(|layer| layer.get("kafka.properties_file"));
    if let Some(path) = listed.and_then(|found| found.value.as_str()) {
        match std::fs::read_to_string(path)
            .map_err(|error| vec![error.to_string()])
            .and_then(|text| {
                let table = properties::read_lines(&text)?;
                properties::accept(Value::Table(table))
            }) {
            Ok(Value::Table(table)) => merged.extend(table),
            Ok(_) => {}
            Err(messages) => {
                problems.extend(
                    messages
                        .into_iter()
                        .map(|message| Problem::new("kafka.properties_file", message)),
                );
            }
        }
        origins.push("kafka.properties_file".to_owned());
    }
    for found in [file, environment].into_iter().filter_map(|layer| layer.get(NAME)) {
        merged.extend(
            found
                .value
                .as_table()
                .into_iter()
                .flatten()
                .map(|(k, v)| (k.clone(), v.clone())),
        );
        origins.push(found.origin.clone());
    }
    if origins.is_empty() {
        return Layer::new();
    }
    Layer::from([(
        NAME,
        Found {
            value: Value::Table(merged),
            origin: origins.join(", "),
        },
    )])
}

/// What single values can't show.
fn check_together(values: &Layer, problems: &mut Vec<Problem>) {
    let (certificate, key) = ("egress.client_cert_file", "egress.client_key_file");
    for (given, missing) in [(certificate, key), (key, certificate)] {
        if values.contains_key(given) && !values.contains_key(missing) {
            problems.push(Problem::new(
                missing,
                format!("is missing; {given} is of no use without it"),
            ));
        }
    }
    let prefix = values
        .get("kafka.prefix")
        .and_then(|found| found.value.as_str())
        .unwrap_or_default();
    let ours = kafka_log::Names::new(prefix);
    let own = [
        ours.ingest(),
        ours.ledger(),
        ours.ledger_requests(),
        ours.ledger_outcomes(),
        ours.lanes(),
        ours.returns(),
        ours.log(),
        ours.health(),
        ours.dlq(),
        ours.rejected(),
    ];
    let sources = values.get("sources").and_then(|found| found.value.as_array());
    for topic in sources
        .into_iter()
        .flatten()
        .filter_map(|source| source.get("topic")?.as_str())
    {
        if own.iter().any(|name| name == topic) {
            problems.push(Problem::new(
                "sources",
                format!("{topic} is Hookline's own topic; name one that producers write to"),
            ));
        }
    }
}

fn check_required(required: &[&str], values: &Layer, problems: &mut Vec<Problem>) {
    for key in required.iter().filter_map(|name| keys::find(name)) {
        let twin = format!("{}_file", key.name);
        let is_wrong = |problem: &Problem| {
            let at = problem.at.to_lowercase().replace("__", ".");
            let at = at.strip_prefix("hookline_").unwrap_or(&at);
            at == key.name || at == twin
        };
        if !values.contains_key(key.name) && !problems.iter().any(is_wrong) {
            problems.push(Problem::new(
                key.name,
                format!("is required and not set: {}", key.meaning),
            ));
        }
    }
}

/// Dotted names to tables.
fn nested(values: &Layer) -> Table {
    let sections = ["kafka", "secrets", "api", "admin"];
    let mut root: Table = sections
        .map(|name| (name.to_owned(), Value::Table(Table::new())))
        .into_iter()
        .collect();
    for (name, found) in values {
        match name.split_once('.') {
            None => drop(root.insert((*name).to_owned(), found.value.clone())),
            Some((section, rest)) => {
                let section = root
                    .entry(section.to_owned())
                    .or_insert_with(|| Value::Table(Table::new()));
                if let Value::Table(section) = section {
                    section.insert(rest.to_owned(), found.value.clone());
                }
            }
        }
    }
    root
}
