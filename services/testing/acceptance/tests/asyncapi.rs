//! `schemas/asyncapi.json`: what is in which topic, for whoever reads or writes Kafka beside Hookline. Topics and their
//! settings come from the table that makes them, records from `schemas/avro`; what they are for is said here.

use kafka_log::{
    Names,
    topics::{self, TopicSettings, TopicSpec},
};
use schemas::{DeadLetter, Delivery, Health, LedgerEntry, LedgerOutcome, LedgerRequest, LogRecord, Record, Rejected};
use serde_json::{Map, Value, json};
use std::{fs, path::Path};

/// The default prefix.
const PREFIX: &str = "hookline.";
/// Stands for an endpoint's id in the name of its dedicated topic.
const ENDPOINT: &str = "{endpointId}";
/// Stands for the delay in the name of a retry topic.
const DELAY: &str = "{delaySec}";

/// A topic, or a family of them.
struct Told {
    name: &'static str,
    message: &'static str,
    /// What records are keyed by.
    key: &'static str,
    holds: &'static str,
    /// Whether others than Hookline may write to it.
    is_open: bool,
}

const fn told(name: &'static str, message: &'static str, key: &'static str, holds: &'static str) -> Told {
    let is_open = false;
    Told {
        name,
        message,
        key,
        holds,
        is_open,
    }
}

const TOPICS: [Told; 13] = [
    Told {
        is_open: true,
        ..told(
            "events",
            "Event",
            "whatever the producer chooses; it decides the order",
            "Events, in any of the accepted formats. It is the source topic when no other is configured.",
        )
    },
    told(
        "ingest",
        "Event",
        "event id",
        "Events that came over HTTP, and Hookline's own.",
    ),
    told(
        "ledger.requests",
        "LedgerRequest",
        "kind and id of the entity",
        "Changes of the configuration that are asked for.",
    ),
    told(
        "ledger",
        "LedgerEntry",
        "kind and id of the entity",
        "The configuration. A tombstone removes an entity.",
    ),
    told(
        "ledger.outcomes",
        "LedgerOutcome",
        "request id",
        "Whether a change was made, and why not.",
    ),
    told(
        "lanes",
        "Delivery",
        "endpoint id",
        "New deliveries of endpoints that share a topic.",
    ),
    told(
        "returns",
        "Delivery",
        "endpoint id",
        "Retries that are due, deferrals and replays.",
    ),
    told(
        "endpoint.{endpointId}.{number}",
        "Delivery",
        "endpoint id",
        "New deliveries of one endpoint with a topic of its own.",
    ),
    told(
        "retry.{delaySec}",
        "Delivery",
        "endpoint id",
        "Deliveries that wait. One topic for each delay.",
    ),
    told("log", "LogRecord", "event id", "What became of events and deliveries."),
    told(
        "health",
        "Health",
        "endpoint id",
        "Unhealthy endpoints alone. A tombstone says that one has recovered.",
    ),
    told(
        "dlq",
        "DeadLetter",
        "delivery id",
        "Dead deliveries, complete. A replay tombstones them.",
    ),
    told(
        "rejected",
        "Rejected",
        "the source record's key",
        "Source records that can be delivered to nobody, and why.",
    ),
];

/// Message, schema file, its record's schema.
fn records() -> [(&'static str, &'static str, &'static str); 8] {
    [
        ("Delivery", "delivery", Delivery::avsc()),
        ("DeadLetter", "dead_letter", DeadLetter::avsc()),
        ("LogRecord", "log_record", LogRecord::avsc()),
        ("Rejected", "rejected", Rejected::avsc()),
        ("Health", "health", Health::avsc()),
        ("LedgerEntry", "ledger_entry", LedgerEntry::avsc()),
        ("LedgerRequest", "ledger_request", LedgerRequest::avsc()),
        ("LedgerOutcome", "ledger_outcome", LedgerOutcome::avsc()),
    ]
}

fn specs() -> Vec<TopicSpec> {
    let names = Names::new(PREFIX);
    let settings = TopicSettings {
        lanes: 64,
        replication_factor: None,
        history_retention_days: 30,
        dlq_retention_days: 30,
        default_source: true,
    };
    let mut specs = topics::fixed(&names, &settings);
    let mut dedicated = topics::endpoint_topic(names.endpoint(ENDPOINT, 1));
    dedicated.name = format!("{PREFIX}endpoint.{ENDPOINT}.{{number}}");
    specs.push(dedicated);
    // The delays' topics differ in nothing but their names.
    let mut delays = specs.extract_if(.., |spec| spec.name.starts_with("hookline.retry."));
    let mut one = delays.next().expect("there are retry topics");
    for other in delays {
        assert_eq!((other.partitions, &other.config), (one.partitions, &one.config));
    }
    one.name = format!("{PREFIX}retry.{DELAY}");
    specs.push(one);
    specs
}

fn channel(spec: &TopicSpec, told: &Told) -> Value {
    let mut configuration = Map::new();
    for (name, value) in &spec.config {
        let value = match name.as_str() {
            "cleanup.policy" => value.split(',').collect::<Vec<_>>().into(),
            "retention.ms" | "retention.bytes" | "max.message.bytes" => value.parse::<i64>().expect("a number").into(),
            // The binding knows no others.
            _ => continue,
        };
        configuration.insert(name.clone(), value);
    }
    let mut channel = json!({
        "address": spec.name,
        "description": format!("{} Key: {}.", told.holds, told.key),
        "messages": {told.message: {"$ref": format!("#/components/messages/{}", told.message)}},
        "bindings": {"kafka": {
            "partitions": spec.partitions,
            "topicConfiguration": configuration,
            "bindingVersion": "0.5.0",
        }},
    });
    let parameters: Map<_, _> = [
        ("endpointId", json!({"description": "The endpoint's id."})),
        (
            "number",
            json!({"description": "Counts the endpoint's topics: a name is never used twice."}),
        ),
        (
            "delaySec",
            json!({
                "description": "How long records wait.",
                "enum": kafka_log::RETRY_TIERS_SEC.map(|delay| delay.to_string()),
            }),
        ),
    ]
    .into_iter()
    .filter(|(name, _)| spec.name.contains(&format!("{{{name}}}")))
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    if !parameters.is_empty() {
        channel["parameters"] = parameters.into();
    }
    channel
}

/// A name without dots and braces.
fn id(topic: &str) -> String {
    let parts = topic.split('.').filter(|part| !part.starts_with('{'));
    let mut id = String::new();
    for part in parts {
        let (first, rest) = part.split_at(1);
        let first = if id.is_empty() {
            first.to_owned()
        } else {
            first.to_uppercase()
        };
        id += &first;
        id += rest;
    }
    id
}

fn event() -> Value {
    json!({
        "title": "Event",
        "description": "An event as a producer publishes it: this JSON, CloudEvents 1.0 (binary or structured), or the \
                        event_payload format, as the source is configured.",
        "contentType": "application/json",
        "payload": {
            "type": "object",
            "required": ["type", "tenant", "data"],
            "properties": {
                "id": {"type": "string", "maxLength": 256, "description": "The producer's own; derived from the record's position when left out."},
                "type": {"type": "string", "description": "A type of the tenant's catalogs."},
                "tenant": {"type": "string", "description": "The tenant that it belongs to, unless the source says so otherwise."},
                "occurred_at": {"type": "string", "format": "date-time", "description": "The record's timestamp when left out."},
                "data": {"description": "What it is about, as the type's schema says."},
            },
        },
        "examples": [{"payload": {
            "id": "evt_01K9ZJ8X4T6Q2V5X7Y9ABCDEFG",
            "type": "vault.ingest.completed",
            "tenant": "org_01K9ZJ5V0C4N6P8R1S3TABCDEF",
            "occurred_at": "2026-11-21T10:00:00.000Z",
            "data": {"vaultId": "vault_1", "objectId": "object_1", "durationMs": 5120},
        }}],
    })
}

fn messages() -> Map<String, Value> {
    let record = |(name, file, avsc): (&str, &str, &str)| {
        let schema: Value = serde_json::from_str(avsc).expect("a schema is JSON");
        let message = json!({
            "title": name,
            "description": schema["doc"],
            "contentType": "avro/binary",
            "payload": {
                "schemaFormat": "application/vnd.apache.avro+json;version=1.9.0",
                "schema": {"$ref": format!("./avro/{file}.avsc")},
            },
        });
        (name.to_owned(), message)
    };
    let mut messages: Map<_, _> = records().into_iter().map(record).collect();
    messages.insert("Event".to_owned(), event());
    messages
}

fn document() -> Value {
    let specs = specs();
    let (mut channels, mut operations) = (Map::new(), Map::new());
    for told in &TOPICS {
        let name = format!("{PREFIX}{}", told.name);
        let spec = specs.iter().find(|spec| spec.name == name);
        let id = id(told.name);
        let (action, verb) = if told.is_open {
            ("receive", "read")
        } else {
            ("send", "write")
        };
        let operation = json!({
            "action": action,
            "channel": {"$ref": format!("#/channels/{id}")},
            "summary": told.holds,
        });
        operations.insert(format!("{verb}{}{}", id[..1].to_ascii_uppercase(), &id[1..]), operation);
        channels.insert(id, channel(spec.unwrap_or_else(|| panic!("no topic {name}")), told));
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Hookline's topics",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Events are published to a source topic by any Kafka client. All other topics are Hookline's \
                            own: reading them is fine, writing to them is not. The prefix `hookline.` and the numbers of \
                            partitions are those of the default configuration; retention of the history and of dead \
                            letters is configured. Records are Avro in single-object encoding; the schemas of writers are \
                            in the ledger.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "avro/binary",
        "servers": {"kafka": {"host": "localhost:9092", "protocol": "kafka", "description": "`kafka.brokers`"}},
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages()},
    })
}

#[test]
fn every_topic_is_told_of() {
    let told: Vec<_> = TOPICS.iter().map(|told| format!("{PREFIX}{}", told.name)).collect();
    for spec in specs() {
        assert!(told.contains(&spec.name), "schemas/asyncapi.json lacks {}", spec.name);
    }
    for told in &TOPICS {
        let has_record = told.message == "Event" || records().iter().any(|(name, _, _)| *name == told.message);
        assert!(has_record, "{}", told.message);
    }
}

#[test]
fn the_document_is_the_one_that_is_kept() {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../schemas");
    let (file, document) = (schemas.join("asyncapi.json"), document());
    if std::env::var_os("HOOKLINE_WRITE_DOCS").is_some() {
        let text = serde_json::to_string_pretty(&document).expect("JSON");
        fs::write(&file, text + "\n").expect("it is written");
    }
    for (_, name, avsc) in records() {
        let kept = fs::read_to_string(schemas.join(format!("avro/{name}.avsc"))).expect("a schema");
        assert_eq!(kept, avsc, "{name}");
    }
    let kept: Value = serde_json::from_str(&fs::read_to_string(&file).expect("schemas/asyncapi.json")).expect("JSON");
    assert!(
        kept == document,
        "schemas/asyncapi.json isn't what the code says: run HOOKLINE_WRITE_DOCS=1 cargo test -p acceptance --test asyncapi"
    );
}
