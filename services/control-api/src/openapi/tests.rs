//! The document against what is kept in the repository, against the routes, and against itself.

use super::*;
use crate::{error::Code, router};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// Routes that are for reading the document itself.
const OF_THE_DOCUMENT: [&str; 4] = ["/openapi.json", "/docs", "/docs/docs.js", "/docs/docs.css"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Path, method, operation.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("operations");
        item.iter()
            .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    all.filter(|(_, method, _)| METHODS.contains(method)).collect()
}

#[test]
fn the_document_is_the_one_that_is_kept() {
    let (file, document) = (repository().join("schemas/openapi.json"), document());
    if std::env::var_os("HOOKLINE_WRITE_DOCS").is_some() {
        let text = serde_json::to_string_pretty(&document).expect("JSON");
        fs::write(&file, text + "\n").expect("it is written");
    }
    let kept: Value = serde_json::from_str(&fs::read_to_string(&file).expect("schemas/openapi.json")).expect("JSON");
    assert!(
        kept == document,
        "schemas/openapi.json isn't what the code says: run HOOKLINE_WRITE_DOCS=1 cargo test -p control-api openapi"
    );
}

/// axum tells its routes to nobody but `Debug`: each route's methods by its number, and each number's path.
fn routes() -> BTreeMap<String, BTreeSet<String>> {
    let told = format!("{:?}", router::routes());
    let told = told.split("fallback_router").next().expect("the routes come first");
    let (routes, paths) = told.split_once("node: Node { paths: {").expect("paths");
    let paths: BTreeMap<&str, &str> = paths
        .split("RouteId(")
        .filter_map(|part| part.split_once("): \""))
        .filter_map(|(number, path)| Some((number, path.split('"').next()?)))
        .collect();
    let mut found = BTreeMap::new();
    for part in routes.split("RouteId(").skip(1) {
        let (number, route) = part.split_once(')').expect("a number");
        let allowed = route.split_once("allow_header: Bytes(b\"").expect("its methods").1;
        let allowed = allowed.split('"').next().expect("a text").to_ascii_lowercase();
        // axum answers HEAD wherever it answers GET.
        let methods = allowed.split(',').filter(|method| *method != "head").map(str::to_owned);
        let path = paths.get(number).expect("each route has a path");
        found.insert((*path).to_owned(), methods.collect());
    }
    found
}

#[test]
fn every_route_is_documented_with_its_methods() {
    let document = document();
    let mut documented: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, method, _) in operations(&document) {
        documented.entry(path.to_owned()).or_default().insert(method.to_owned());
    }
    let mut routes = routes();
    for path in OF_THE_DOCUMENT {
        assert!(routes.remove(path).is_some(), "{path}");
    }
    assert_eq!(routes, documented);
}

#[test]
fn every_body_has_an_example_that_is_valid() {
    let document = document();
    let mut missing = Vec::new();
    for (_, _, operation) in operations(&document) {
        let name = operation["operationId"].as_str().expect("an operation id");
        let answers = operation["responses"].as_object().expect("answers").iter();
        let answers = answers
            .filter(|(status, _)| status.starts_with('2'))
            .map(|(_, answer)| answer);
        for body in std::iter::once(&operation["requestBody"]).chain(answers) {
            let Some(content) = body.pointer("/content/application~1json") else {
                continue;
            };
            let Some(example) = content.get("example") else {
                missing.push(name);
                continue;
            };
            // The schema with what it refers to.
            let mut schema = content["schema"].clone();
            schema["components"] = document["components"].clone();
            let validator = jsonschema::validator_for(&schema).expect("a schema");
            let errors: Vec<_> = validator
                .iter_errors(example)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{name}: {errors:?}");
        }
    }
    assert!(missing.is_empty(), "no example in openapi/examples.json: {missing:?}");
}

/// Fields of this body that have one of a few values, each with each of them.
fn values(document: &Value, body: &str) -> Vec<Value> {
    let schemas = &document["components"]["schemas"];
    let fields = schemas[body]["properties"].as_object().expect("fields").iter();
    let values = fields.flat_map(|(field, schema)| {
        let name = schema["$ref"]
            .as_str()
            .and_then(|reference| reference.rsplit('/').next());
        let values = schemas[name.unwrap_or_default()]["enum"].as_array();
        values.into_iter().flatten().map(move |value| json!({field: value}))
    });
    values.collect()
}

#[test]
fn the_values_that_are_named_are_those_that_are_taken() {
    let document = document();
    let native = values(&document, "ChangedEndpoint");
    let statuses = ["active", "paused", "disabled"].map(|status| json!({"status": status}));
    assert!(
        native.len() == 19 && statuses.iter().all(|one| native.contains(one)),
        "{native:?}"
    );
    for value in native {
        let read = serde_json::from_value::<native_endpoints::wanted::ChangedEndpoint>(value.clone());
        assert!(read.is_ok(), "{value}: {:?}", read.err());
    }
    let tenant = values(&document, "Changed");
    assert_eq!(tenant, [json!({"status": "active"}), json!({"status": "paused"})]);
}

#[test]
fn operations_are_told_apart_and_told_of() {
    let document = document();
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap_or_default();
        assert!(!name.is_empty() && names.insert(name), "{method} {path}: {name}");
        for field in ["summary", "tags"] {
            assert!(operation.get(field).is_some(), "{method} {path} has no {field}");
        }
    }
}

#[test]
fn every_error_code_has_a_page_and_every_page_a_code() {
    let directory = repository().join("docs/errors");
    let files = fs::read_dir(&directory).expect("docs/errors").map(|entry| {
        let name = entry.expect("a file").file_name();
        name.to_string_lossy().into_owned()
    });
    let found: BTreeSet<String> = files.filter(|name| name != "README.md").collect();
    let wanted: BTreeSet<String> = Code::ALL.iter().map(|code| format!("{}.md", code.as_str())).collect();
    assert_eq!(found, wanted);
    for code in Code::ALL {
        let name = code.as_str();
        assert_eq!(json!(code), json!(name));
        let page = fs::read_to_string(directory.join(format!("{name}.md"))).expect("it was listed");
        let title = format!("# {name} ({})\n", code.status().as_u16());
        assert!(
            page.starts_with(&title),
            "docs/errors/{name}.md doesn't begin with {title:?}"
        );
        let index = fs::read_to_string(directory.join("README.md")).expect("docs/errors/README.md");
        let row = format!(
            "| [{name}]({name}.md) | {} | {} |",
            code.status().as_u16(),
            code.meaning()
        );
        assert!(index.contains(&row), "docs/errors/README.md lacks {row}");
    }
}
