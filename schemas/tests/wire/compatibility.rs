//! Compatibility: every fixture of every released version decodes to what its JSON says, and today's schemas and the
//! released ones read each other in full.
//!
//! A fixture is `released/<version>/<record>.{avsc,bin,json}`. Those of a released version are never changed. For a new
//! version: `cargo test -p schemas --test wire -- --ignored write_fixtures`, then name it in `src/released.rs`.

use super::{examples::Example, for_each_record};
use apache_avro::{
    Schema,
    schema_compatibility::{Compatibility, SchemaCompatibility},
};
use schemas::*;
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::PathBuf, sync::Arc};

fn released() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("released")
}

fn versions() -> Vec<PathBuf> {
    let versions: Vec<_> = fs::read_dir(released())
        .expect("released/")
        .map(|entry| entry.expect("entry").path())
        .collect();
    assert!(!versions.is_empty(), "no released version");
    versions
}

/// Fields that came later have their defaults, at any depth; what was written must be there unchanged.
fn assert_holds(today: &Value, written: &Value, at: &str) {
    match (today, written) {
        (Value::Object(today), Value::Object(written)) => {
            for (field, value) in written {
                assert_holds(
                    today.get(field).unwrap_or(&Value::Null),
                    value,
                    &format!("{at}, {field}"),
                );
            }
        }
        (Value::Array(today), Value::Array(written)) => {
            assert_eq!(today.len(), written.len(), "{at}");
            let pairs = today.iter().zip(written).enumerate();
            pairs.for_each(|(number, (today, written))| assert_holds(today, written, &format!("{at}[{number}]")));
        }
        _ => assert_eq!(today, written, "{at}"),
    }
}

fn decodes<R: Record>(name: &str) {
    for version in versions() {
        let Ok(json) = fs::read_to_string(version.join(format!("{name}.json"))) else {
            continue;
        };
        let expected: Value = serde_json::from_str(&json).expect("fixture JSON");
        let bytes = fs::read(version.join(format!("{name}.bin"))).expect("fixture bytes");
        let record: R = decode(&bytes, &OwnSchemas).unwrap_or_else(|e| panic!("{name} of {}: {e}", version.display()));
        let today = serde_json::to_value(&record).expect("a record as JSON");
        assert_holds(&today, &expected, &format!("{name} of {}", version.display()));
    }
}

#[test]
fn every_fixture_of_every_version_decodes() {
    for_each_record!(decodes);
}

fn is_compatible<R: Record>(name: &str) {
    let today = Schema::parse_str(R::avsc()).expect("today's schema");
    assert!(
        R::avsc().contains(&format!("\"name\": \"{}\"", R::NAME)),
        "{name} and {} differ",
        R::NAME
    );
    for version in versions() {
        let Ok(text) = fs::read_to_string(version.join(format!("{name}.avsc"))) else {
            continue;
        };
        let released = Schema::parse_str(&text).expect("released schema");
        let verdict = SchemaCompatibility::mutual_read(&today, &released);
        assert_eq!(
            verdict,
            Ok(Compatibility::Full),
            "avro/{name}.avsc and {} must read each other: give new fields a default, and rename, retype or remove none",
            version.join(format!("{name}.avsc")).display()
        );
    }
}

#[test]
fn todays_schemas_and_released_ones_read_each_other() {
    for_each_record!(is_compatible);
}

/// A reader of any version can read the ledger's envelope and the schemas in it, whatever else changes.
#[test]
fn the_ledgers_envelope_is_frozen() {
    assert_eq!(LedgerEntry::fingerprint(), 0x030d_7e3c_1ad8_5c07);
    assert_eq!(LedgerRequest::fingerprint(), 0xdf36_4250_6513_6a9f);
    assert_eq!(LedgerOutcome::fingerprint(), 0x1a38_ac01_c47a_1e3b);
    assert_eq!(SchemaEntry::fingerprint(), 0x3218_99a7_2d0f_549d);
}

/// What is in the directory is also compiled in, and has all three files.
#[test]
fn every_released_schema_is_compiled_in() {
    for version in versions() {
        let files: BTreeSet<String> = fs::read_dir(&version)
            .expect("a version")
            .map(|entry| entry.expect("entry").file_name().into_string().expect("UTF-8"))
            .collect();
        for schema in files.iter().filter_map(|file| file.strip_suffix(".avsc")) {
            let text = fs::read_to_string(version.join(format!("{schema}.avsc"))).expect("schema");
            let (fingerprint, _) = codec::parse_schema(&text).expect("schema");
            assert!(
                OwnSchemas.writer_schema(fingerprint).is_some(),
                "{schema} is not in src/released.rs"
            );
            for other in ["bin", "json"] {
                assert!(
                    files.contains(&format!("{schema}.{other}")),
                    "{}/{schema}.{other} is missing",
                    version.display()
                );
            }
        }
    }
}

#[test]
fn every_record_has_a_fixture_and_a_registered_schema() {
    let version = released().join("v0.1.0");
    for (fingerprint, name, avsc) in own_schemas() {
        assert_eq!(
            codec::parse_schema(avsc).map(|(parsed, _)| parsed).expect("schema"),
            fingerprint,
            "{name}"
        );
    }
    let fixtures = fs::read_dir(version).expect("v0.1.0").count();
    assert!(fixtures >= own_schemas().len() * 3, "{fixtures} files");
}

fn write<R: Record + Example>(name: &str) {
    let version = released().join(concat!("v", env!("CARGO_PKG_VERSION")));
    fs::create_dir_all(&version).expect("released/<version>");
    let record = R::full();
    let json = serde_json::to_string_pretty(&record).expect("a record as JSON");
    fs::write(version.join(format!("{name}.avsc")), R::avsc()).expect("write");
    fs::write(version.join(format!("{name}.bin")), encode(&record).expect("encode")).expect("write");
    fs::write(version.join(format!("{name}.json")), json + "\n").expect("write");
}

#[test]
#[ignore = "writes the fixtures of this version: run it once for each release"]
fn write_fixtures() {
    for_each_record!(write);
}

struct Only(Fingerprint, Arc<Schema>);

impl WriterSchemas for Only {
    fn writer_schema(&self, fingerprint: Fingerprint) -> Option<Arc<Schema>> {
        (fingerprint == self.0).then(|| self.1.clone())
    }
}

/// A newer writer: a field more, and one that today has less.
#[test]
fn a_record_of_another_schema_is_resolved() {
    #[derive(serde::Serialize)]
    #[serde(rename = "Installation")]
    struct Newer {
        incarnation: &'static str,
        colour: &'static str,
        lanes: i32,
        created_at_ms: i64,
    }
    let newer = Installation::avsc().replacen(
        r#"{"name": "lanes""#,
        r#"{"name": "colour", "type": "string", "default": "red"}, {"name": "lanes""#,
        1,
    );
    let (fingerprint, schema) = codec::parse_schema(&newer).expect("newer schema");
    let mut bytes = vec![0xC3, 0x01];
    bytes.extend_from_slice(&fingerprint.to_le_bytes());
    let writer = apache_avro::writer::datum::GenericDatumWriter::builder(&schema)
        .build()
        .expect("writer");
    let newer = Newer {
        incarnation: "i",
        colour: "blue",
        lanes: 64,
        created_at_ms: 7,
    };
    writer.write_ser(&mut bytes, &newer).expect("write");

    let unknown = decode::<Installation>(&bytes, &OwnSchemas).expect_err("not known yet");
    assert_eq!(unknown, DecodeError::UnknownFingerprint(fingerprint));
    assert!(unknown.is_unknown_schema());

    let known = Only(fingerprint, Arc::new(schema.clone()));
    for _ in 0..2 {
        let read: Installation = decode(&bytes, &known).expect("resolved");
        assert_eq!(
            read,
            Installation {
                incarnation: "i".into(),
                lanes: 64,
                created_at_ms: 7
            }
        );
    }
}

/// Every record of a writer that has one field more, in every type that Avro resolution has to carry over.
fn is_resolved<R: Record + Example + PartialEq + std::fmt::Debug>(name: &str) {
    let mut newer: Value = serde_json::from_str(R::avsc()).expect("JSON");
    let later = serde_json::json!({"name": "later", "type": ["null", "string"], "default": null});
    newer["fields"].as_array_mut().expect("fields").push(later);
    let (fingerprint, schema) = codec::parse_schema(&newer.to_string()).expect("newer schema");
    let known = Only(fingerprint, Arc::new(schema));
    for record in [R::full(), R::bare()] {
        let mut bytes = encode(&record).expect("encode");
        bytes[2..10].copy_from_slice(&fingerprint.to_le_bytes());
        bytes.push(0);
        assert_eq!(decode::<R>(&bytes, &known).as_ref(), Ok(&record), "{name}");
    }
}

#[test]
fn every_record_of_a_newer_writer_is_resolved() {
    for_each_record!(is_resolved);
}
