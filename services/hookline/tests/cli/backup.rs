//! A backup made of one installation and restored in another.

use super::process::{Hookline, Serving};
use super::{KEY, NEXT_KEY, words};

fn installation() -> (Hookline, Serving) {
    let hookline = Hookline::with_kafka().with("HOOKLINE_SECRETS__KEY", KEY);
    hookline.ok(&["topics", "apply"]);
    let serving = Serving::start(&hookline, "api");
    serving.await_ready();
    (hookline, serving)
}

#[test]
fn a_backup_restores_the_configuration_with_its_ids() {
    let (hookline, serving) = installation();
    hookline.ok(&words(
        "tenant create --direct Acme --id org_acme --catalogs platform,cases",
    ));
    hookline.ok(&words("key create --direct --tenant org_acme --scopes vault,webhooks"));
    let create = "endpoint create --direct --tenant org_acme --url https://example.com/ --header authorization=hidden";
    let made = hookline.json(&words(&format!("{create} --filter * --output json")));
    let gone = hookline.json(&words(&format!("{create} --filter cases.created --output json")));
    let id = |made: &serde_json::Value| made["endpoint"]["id"].as_str().expect("an id").to_owned();
    let (id, gone) = (id(&made), id(&gone));
    hookline.ok(&["endpoint", "delete", &gone, "--direct"]);

    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("backup.jsonl").display().to_string();
    hookline.ok(&["ledger", "export", &file, "--direct"]);
    let text = std::fs::read_to_string(&file).expect("it was written");
    assert!(
        !text.contains("hidden") && !text.contains("whsec_"),
        "invariant 5: {text}"
    );
    assert_eq!(text, hookline_lines(&text), "one document a line");
    assert_eq!(text.lines().count(), 5, "first, tenant, key, endpoint, last: {text}");

    let (other, serving_other) = installation();
    let wrong_key = other.with("HOOKLINE_SECRETS__KEY", NEXT_KEY);
    let refused = wrong_key.run(&["ledger", "import", &file, "--direct"]);
    assert!(
        refused.status == 1 && refused.stderr.contains("secrets.previous_keys"),
        "{}",
        refused.stderr
    );
    let said = other.ok(&["ledger", "import", &file, "--direct", "--dry-run"]);
    assert_eq!(
        said,
        "3 entities would be created, 0 would be replaced, 0 are as they should be\n"
    );
    assert!(!other.ok(&["tenant", "list", "--direct"]).contains("org_acme"));
    let imported = other.json(&["ledger", "import", &file, "--direct", "--output", "json"]);
    assert_eq!((&imported["created"], &imported["unchanged"]), (&3.into(), &0.into()));
    let restored = other.json(&["endpoint", "get", &id, "--direct", "--output", "json"]);
    assert_eq!(restored["endpoint"]["headers"]["authorization"], "[redacted]");
    assert_eq!(
        other
            .json(&words("key list --direct --tenant org_acme --output json"))
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    other.run_until(&["doctor"], 0);

    other.ok(&["endpoint", "update", &id, "--direct", "--timeout", "7"]);
    let refused = other.run(&["ledger", "import", &file, "--direct"]);
    assert!(
        refused.status == 1
            && refused
                .stderr
                .contains(&format!("endpoint/{id} is here already and differs")),
        "{}",
        refused.stderr
    );
    let said = other.ok(&["ledger", "import", &file, "--direct", "--replace"]);
    assert_eq!(said, "0 entities created, 1 replaced, 2 are as they should be\n");
    let restored = other.json(&["endpoint", "get", &id, "--direct", "--output", "json"]);
    assert!(restored["endpoint"]["timeoutSec"].is_null(), "{restored}");

    let broken: String = text.lines().take(3).map(|line| format!("{line}\n")).collect();
    let refused = other.run_with_input(&["ledger", "import", "--direct"], &broken);
    assert!(
        refused.status == 1 && refused.stderr.contains("breaks off"),
        "{}",
        refused.stderr
    );
    serving.terminate();
    serving_other.terminate();
}

/// The same, read as JSON and written line by line.
fn hookline_lines(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).expect(line);
        format!("{value}\n")
    });
    lines.collect()
}
