//! Rules for the manifests of the workspace's packages: who may depend on what. The root manifest is not looked at.

use std::collections::BTreeSet;

use super::Finding;
use super::rust::{VAGUE_NAMES, vague_name};

const ROLES: &[&str] = &["control-api", "dispatcher", "fanout", "history", "scheduler"];

/// A dependency, the packages that may have it (a path that ends in / stands for all below it), and why.
const RESTRICTED: &[(&str, &[&str], &str)] = &[
    (
        "rdkafka",
        &["services/libs/kafka-log/"],
        "kafka-log alone knows the Kafka client and its traps",
    ),
    (
        "reqwest",
        &[
            "services/libs/egress/",
            "services/libs/api-client/",
            "services/testing/",
            "loadtest/",
        ],
        "egress alone makes delivery requests, so that no other code can go round the egress policy (invariant 4); api-client speaks to Hookline's own API",
    ),
    (
        "opentelemetry_sdk",
        &["services/libs/runtime/"],
        "runtime alone exports telemetry, so that there is one queue, one count of what was dropped and one way to switch it off",
    ),
    (
        "sqlx",
        &["services/libs/history-store/"],
        "history-store alone knows SQL: the database is a projection that can be rebuilt",
    ),
    (
        "anyhow",
        &[
            "services/hookline/",
            "services/xtask/",
            "services/testing/",
            "loadtest/",
        ],
        "a library's errors are an enum of its own, which callers can tell apart (`is_retryable`)",
    ),
];

/// What the pure crate may not have: time, chance and input come to it as arguments.
const IMPURE: &[&str] = &[
    "tokio",
    "tracing",
    "rand",
    "reqwest",
    "rdkafka",
    "parking_lot",
    "kafka-log",
    "runtime",
];

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let manifest: toml::Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => {
            return vec![Finding::new(path, 0, format!("not readable as TOML: {error}"))];
        }
    };
    let name = manifest
        .get("package")
        .and_then(|package| package.get("name"))
        .and_then(toml::Value::as_str);
    let name = name.unwrap_or_default();
    let (all, shipped) = (
        dependencies(&manifest, &["dependencies", "dev-dependencies", "build-dependencies"]),
        { dependencies(&manifest, &["dependencies", "build-dependencies"]) },
    );
    let mut messages = Vec::new();
    if VAGUE_NAMES.contains(&name) {
        messages.push(vague_name("crate", name));
    }
    messages.extend(roles(name, &all));
    messages.extend(restricted(path, &all, &shipped));
    messages.extend(purity(name, &shipped));
    messages.extend(task_runner(name, &all));
    messages.extend(inheritance(&manifest));
    messages
        .into_iter()
        .map(|message| Finding::new(path, 0, message))
        .collect()
}

fn dependencies(manifest: &toml::Table, sections: &[&str]) -> BTreeSet<String> {
    let targets = manifest
        .get("target")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flatten();
    let tables = targets.filter_map(|(_, target)| target.as_table()).chain([manifest]);
    let sections = tables.flat_map(|table| sections.iter().filter_map(|section| table.get(*section)));
    let named = sections.filter_map(toml::Value::as_table).flatten();
    // A renamed dependency counts under its real name.
    named
        .map(|(name, value)| {
            value
                .get("package")
                .and_then(toml::Value::as_str)
                .unwrap_or(name)
                .to_owned()
        })
        .collect()
}

fn roles(name: &str, all: &BTreeSet<String>) -> Vec<String> {
    if !ROLES.contains(&name) {
        return Vec::new();
    }
    let others = all.iter().filter(|other| ROLES.contains(&other.as_str()));
    others
        .map(|other| {
            format!("{name} depends on {other}: roles meet at topics alone, so that each can be scaled and replaced; shared decisions belong in delivery-core")
        })
        .collect()
}

fn restricted(path: &str, all: &BTreeSet<String>, shipped: &BTreeSet<String>) -> Vec<String> {
    let mut messages = Vec::new();
    for (dependency, allowed, why) in RESTRICTED {
        // Tests may use anyhow everywhere.
        let found = if *dependency == "anyhow" { shipped } else { all };
        if found.contains(*dependency) && !allowed.iter().any(|prefix| path.starts_with(prefix)) {
            messages.push(format!("only {} may depend on {dependency}: {why}", allowed.join(", ")));
        }
    }
    messages
}

fn purity(name: &str, shipped: &BTreeSet<String>) -> Vec<String> {
    if name != "delivery-core" {
        return Vec::new();
    }
    let impure = shipped
        .iter()
        .filter(|dependency| IMPURE.contains(&dependency.as_str()));
    impure
        .map(|dependency| {
            format!("delivery-core depends on {dependency}: its decisions are pure, and are tested without a runtime")
        })
        .collect()
}

fn task_runner(name: &str, all: &BTreeSet<String>) -> Option<String> {
    let heavy = ["kafka-log", "harness", "hookline", "ledger"]
        .into_iter()
        .find(|heavy| all.contains(*heavy));
    match (name, heavy) {
        ("xtask" | "brokers", Some(heavy)) => Some(format!(
            "{name} depends on {heavy}: it must build before the C libraries' tools are installed"
        )),
        _ => None,
    }
}

fn inheritance(manifest: &toml::Table) -> Vec<String> {
    let mut messages = Vec::new();
    let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    if lints.and_then(toml::Value::as_bool) != Some(true) {
        messages.push("write `[lints] workspace = true`: the workspace's lints are for every package".to_owned());
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let table = manifest.get(section).and_then(toml::Value::as_table);
        for (name, value) in table.into_iter().flatten() {
            if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                messages.push(format!(
                    "write `{name}.workspace = true`: versions and features are set once, in the root manifest, so that nothing is built twice"
                ));
            }
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    //! Each rule with a manifest that breaks it.
    use super::*;

    fn manifest(name: &str, dependencies: &str) -> String {
        format!("[package]\nname = \"{name}\"\n[lints]\nworkspace = true\n[dependencies]\n{dependencies}\n")
    }

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(path, text).into_iter().map(|finding| finding.message).collect()
    }

    fn one(path: &str, text: &str, part: &str) {
        let findings = findings(path, text);
        assert!(findings.len() == 1 && findings[0].contains(part), "{findings:?}");
    }

    #[test]
    fn a_role_that_imports_another_is_found() {
        let text = manifest("dispatcher", "scheduler.workspace = true");
        one("services/dispatcher/Cargo.toml", &text, "roles meet at topics");
        let binary = manifest("hookline", "scheduler.workspace = true");
        assert_eq!(findings("services/hookline/Cargo.toml", &binary), Vec::<String>::new());
    }

    #[test]
    fn restricted_dependencies_are_found_also_in_tests_and_renamed() {
        for dependency in ["rdkafka", "reqwest", "sqlx", "anyhow"] {
            let text = manifest("ledger", &format!("{dependency}.workspace = true"));
            one("services/libs/ledger/Cargo.toml", &text, dependency);
        }
        let dev = format!(
            "{}[dev-dependencies]\nrdkafka.workspace = true\n",
            manifest("ledger", "")
        );
        one("services/libs/ledger/Cargo.toml", &dev, "rdkafka");
        let renamed = manifest("ledger", "client = { package = \"rdkafka\", workspace = true }");
        one("services/libs/ledger/Cargo.toml", &renamed, "rdkafka");
        let text = manifest("kafka-log", "rdkafka.workspace = true");
        assert_eq!(
            findings("services/libs/kafka-log/Cargo.toml", &text),
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_impure_core_is_found() {
        let text = manifest("delivery-core", "tokio.workspace = true");
        one("services/libs/delivery-core/Cargo.toml", &text, "pure");
    }

    #[test]
    fn a_task_runner_that_needs_the_kafka_client_is_found() {
        let text = manifest("xtask", "kafka-log.workspace = true");
        one("services/xtask/Cargo.toml", &text, "must build before");
    }

    #[test]
    fn versions_and_lints_of_a_package_s_own_are_found() {
        one(
            "services/libs/x/Cargo.toml",
            &manifest("x", "bytes = \"1\""),
            "bytes.workspace = true",
        );
        one("services/libs/x/Cargo.toml", "[package]\nname = \"x\"\n", "lints");
    }

    #[test]
    fn a_vague_crate_is_found() {
        one("services/libs/x/Cargo.toml", &manifest("utils", ""), "called utils");
    }
}
