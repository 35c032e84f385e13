//! The list `sources`: which topics events are read from, in which format, whose they are, and from where on.

use super::form::expected;
use super::{checks, problem};
use event_model::{Format, TenantFrom};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use toml::{Table, Value};

const FIELDS: [&str; 4] = ["topic", "format", "tenant", "start"];

/// One source topic.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub struct Source {
    pub topic: String,
    pub format: String,
    pub tenant: String,
    pub start: String,
}

/// Where a source is read from when nothing of it was read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceStart {
    Earliest,
    Latest,
    /// Unix milliseconds.
    Time(i64),
}

impl Source {
    /// The source that there is when none is configured.
    pub fn default_of(topic: String) -> Self {
        Self {
            topic,
            format: "auto".to_owned(),
            tenant: "field".to_owned(),
            start: "earliest".to_owned(),
        }
    }

    pub fn format(&self) -> Format {
        self.format
            .parse()
            .expect("it was checked when the configuration was read")
    }

    pub fn tenant_from(&self) -> TenantFrom {
        self.tenant
            .parse()
            .expect("it was checked when the configuration was read")
    }

    pub fn start(&self) -> SourceStart {
        parse_start(&self.start).expect("it was checked when the configuration was read")
    }

    /// Whether everyone who can write to the topic may speak for every tenant.
    pub fn trusts_its_writers(&self) -> bool {
        matches!(self.tenant_from(), TenantFrom::Header | TenantFrom::Field)
    }

    /// What to say where it does.
    pub fn warning(&self) -> String {
        format!(
            "topic {} takes the tenant from a {}, so everyone who can write to it may speak for every tenant; restrict it \
             by ACLs, or set tenant = \"fixed:<id>\"",
            self.topic, self.tenant
        )
    }
}

/// Every source in full, with what it left out.
pub fn accept(value: Value) -> Result<Value, Vec<String>> {
    let Value::Array(items) = value else {
        return Err(vec![expected("a list of tables, such as [[sources]]", &value)]);
    };
    let (mut accepted, mut wrong): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    for (index, item) in items.into_iter().enumerate() {
        let at = index + 1;
        match item {
            Value::Table(table) => match accept_one(table) {
                Ok(source) => accepted.push(Value::Table(source)),
                Err(messages) => wrong.extend(messages.into_iter().map(|message| format!("source {at}: {message}"))),
            },
            other => wrong.push(format!("source {at}: {}", expected("a table with a topic", &other))),
        }
    }
    let mut topics: Vec<&str> = accepted
        .iter()
        .filter_map(|source| source.get("topic")?.as_str())
        .collect();
    topics.sort_unstable();
    if let Some(twice) = topics.windows(2).find(|pair| pair[0] == pair[1]) {
        wrong.push(format!(
            "topic {} is given twice; its events would be read in one way only",
            twice[0]
        ));
    }
    if accepted.is_empty() && wrong.is_empty() {
        wrong.push("must name at least one topic; leave it out for the default".to_owned());
    }
    if wrong.is_empty() {
        Ok(Value::Array(accepted))
    } else {
        Err(wrong)
    }
}

fn accept_one(table: Table) -> Result<Table, Vec<String>> {
    let mut wrong = Vec::new();
    let mut source = Table::new();
    for (name, default) in [("format", "auto"), ("tenant", "field"), ("start", "earliest")] {
        source.insert(name.to_owned(), Value::String(default.to_owned()));
    }
    for (name, value) in table {
        if !FIELDS.contains(&name.as_str()) {
            let nearest = problem::nearest(&name, FIELDS.iter().map(|field| (*field).to_owned()));
            wrong.push(format!("there is no `{name}`; did you mean `{nearest}`?"));
            continue;
        }
        let text = match value {
            Value::String(text) => text,
            Value::Datetime(time) if name == "start" => time.to_string(),
            other => {
                wrong.push(format!("{name} {}", expected("a text", &other)));
                continue;
            }
        };
        if let Err(message) = check(&name, &text) {
            wrong.push(format!("{name} {message}"));
        }
        source.insert(name, Value::String(text));
    }
    if !source.contains_key("topic") {
        wrong.push("topic is missing".to_owned());
    }
    if wrong.is_empty() { Ok(source) } else { Err(wrong) }
}

fn check(field: &str, text: &str) -> Result<(), String> {
    match field {
        "topic" => checks::prefix(text),
        "format" if text == "avro" => Err("avro comes with a later version".to_owned()),
        "format" => text.parse::<Format>().map(drop).map_err(|error| error.to_string()),
        "tenant" => text.parse::<TenantFrom>().map(drop).map_err(|error| error.to_string()),
        _ => parse_start(text).map(drop),
    }
}

fn parse_start(text: &str) -> Result<SourceStart, String> {
    match text {
        "earliest" => Ok(SourceStart::Earliest),
        "latest" => Ok(SourceStart::Latest),
        time => OffsetDateTime::parse(time, &Rfc3339)
            .map(|time| SourceStart::Time(i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)))
            .map_err(|_| "must be earliest, latest, or a time such as 2026-11-21T10:00:00Z".to_owned()),
    }
}
