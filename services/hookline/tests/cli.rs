//! The real binary: what it says and how it exits, without a broker and against a real Kafka. What the roles do with
//! events is tested elsewhere.

#[path = "cli/backup.rs"]
mod backup;
#[path = "cli/doctor.rs"]
mod doctor;
#[path = "cli/listen.rs"]
mod listen;
#[path = "cli/over_api.rs"]
mod over_api;
#[path = "cli/process.rs"]
mod process;

use process::{Hookline, Serving};
use serde_json::Value;

const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const NEXT_KEY: &str = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=";

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn wrong_usage_is_exit_status_2() {
    let hookline = Hookline::without_kafka();
    for (arguments, said) in [
        (vec!["delivery", "list", "--since", "yesterday"], "neither a time"),
        (vec!["endpoint", "replay", "wh_1", "--only", "some"], "invalid value"),
        (vec!["serve"], "Usage"),
        (vec!["serve", "everything"], "invalid value"),
        (vec!["event", "send", "--http", "--topic", "x"], "cannot be used with"),
        (vec!["endpoint", "create", "--scopes", "vault"], "--direct"),
        (
            words("endpoint create --url https://x.example/ --filter * --status paused"),
            "endpoint update",
        ),
        (
            words("endpoint create --direct --url https://x.example/ --filter *"),
            "needs --tenant",
        ),
        (
            words("endpoint update wh_1 --rate 3 --unset rate"),
            "leave out one of them",
        ),
        (words("endpoint test wh_1 --payload {"), "no JSON"),
        (words("listen --secret whsec_!"), "--secret: "),
        (words("listen --public-key whsec_x"), "whpk_"),
        (vec!["completions", "tcsh"], "invalid value"),
        (
            vec!["endpoint", "update", "wh_1", "--direct", "--ordering", "endpoint"],
            "later version",
        ),
        (
            vec!["endpoint", "list", "--direct", "--status", "deleted"],
            "auto_disabled",
        ),
        (vec!["dlq", "purge"], "--all"),
        (vec!["dlq", "list", "--since", "yesterday"], "--since"),
        (
            vec!["delivery", "replay", "dlv_1", "--payload", "{"],
            "--payload is no JSON",
        ),
        (vec!["dlq", "list", "--reason", "bored"], "rejected_by_receiver"),
        (
            vec![
                "endpoint",
                "create",
                "--direct",
                "--tenant",
                "org_1",
                "--url",
                "https://x.example/",
            ],
            "--filter",
        ),
        (vec!["endpoint", "update", "wh_1", "--direct"], "nothing to change"),
        (
            vec!["endpoint", "update", "wh_1", "--direct", "--timeout", "61"],
            "61 is not in 1..=60",
        ),
        (vec!["endpoint", "update", "wh_1", "--direct", "--burst", "3"], "--rate"),
        (
            vec!["endpoint", "update", "wh_1", "--direct", "--retry-schedule", "5,never"],
            "`none` means no retries",
        ),
        (
            vec!["endpoint", "update", "wh_1", "--direct", "--metadata", "alone"],
            "NAME=VALUE",
        ),
    ] {
        let ended = hookline.run(&arguments);
        assert_eq!(ended.status, 2, "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn commands_of_the_api_need_a_key_and_say_so() {
    let hookline = Hookline::without_kafka();
    for line in [
        "tenant list",
        "key revoke key_1",
        "endpoint list",
        "event send --http",
        "ledger export",
    ] {
        let ended = hookline.run(&words(line));
        assert_eq!(ended.status, 1, "{line}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("HOOKLINE_API_KEY is not set"),
            "{line}: {}",
            ended.stderr
        );
    }
    let nobody = hookline
        .with("HOOKLINE_API_KEY", "hk_x")
        .with("HOOKLINE_URL", "http://127.0.0.1:1");
    let ended = nobody.run(&["endpoint", "list"]);
    assert!(
        ended.status == 1 && ended.stderr.contains("http://127.0.0.1:1/ can't be reached"),
        "{}",
        ended.stderr
    );
}

#[test]
fn shells_complete_every_command() {
    let hookline = Hookline::without_kafka();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = hookline.ok(&["completions", shell]);
        assert!(script.contains("rotate-secret") && script.contains("doctor"), "{shell}");
    }
}

#[test]
fn invariant_5_a_refused_flag_does_not_repeat_its_secret() {
    let hookline = Hookline::without_kafka();
    for (flag, value, said) in [
        ("--header", "authorization: Bearer hidden-value", "NAME=VALUE"),
        ("--header", "authorization=Bearer hidden-value\n", "header's value"),
        ("--signing-secret", "hidden-value", "whsec_"),
        ("--signing-secret", "whsec_hidden-value", "base64"),
    ] {
        let create = "endpoint create --direct --tenant org_1 --url https://x.example/ --filter *";
        let mut arguments = words(create);
        arguments.extend([flag, value]);
        let ended = hookline.run(&arguments);
        assert_eq!(ended.status, 2, "{flag}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{flag}: {}", ended.stderr);
        assert!(!ended.stderr.contains("hidden"), "{flag}: {}", ended.stderr);
    }
}

#[test]
fn a_role_without_the_keys_that_it_needs_names_them_all() {
    let ended = Hookline::without_kafka().run(&["serve", "all"]);
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    for part in ["secrets.key: is required", "api.operator_key: is required"] {
        assert!(ended.stderr.contains(part), "no {part} in {}", ended.stderr);
    }
}

#[test]
fn several_mistakes_are_reported_at_once_with_exit_status_1() {
    let file = fixture("several_mistakes.toml");
    let ended = Hookline::without_kafka()
        .with("HOOKLINE_LOG__LEVEL", "loud")
        .run(&["--config", &file, "config", "check"]);
    assert_eq!(ended.status, 1);
    for part in [
        "17 mistakes",
        "did you mean `kafka.lanes`?",
        "delivery.timeout_sec",
        "HOOKLINE_LOG__LEVEL",
    ] {
        assert!(ended.stderr.contains(part), "no {part} in {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("not-a-key"), "{}", ended.stderr);
}

#[test]
fn configuration_is_checked_shown_and_documented() {
    let hookline = Hookline::without_kafka();
    let shown = hookline.ok(&["--config", &fixture("full.toml"), "config", "show"]);
    assert!(
        shown.contains("prefix = \"acme.hooks.\"") && shown.contains("\"[redacted]\""),
        "{shown}"
    );
    assert!(!shown.contains("kafka-password") && !shown.contains(KEY), "{shown}");
    let checked = hookline.run(&["config", "check", "--config", &fixture("full.toml")]);
    assert_eq!(checked.status, 0, "{}", checked.stderr);
    assert!(
        checked.stderr.contains("acme.events takes the tenant from a header"),
        "{}",
        checked.stderr
    );
    let without_key = hookline.run(&["config", "check"]);
    assert!(
        without_key.status == 1 && without_key.stderr.contains("hookline keygen"),
        "{}",
        without_key.stderr
    );
    assert!(hookline.ok(&["config", "default"]).contains("# lanes = 64"));
    let (one, other) = (hookline.ok(&["keygen"]), hookline.ok(&["keygen"]));
    assert_ne!(one, other);
    let checked = hookline
        .with("HOOKLINE_SECRETS__KEY", one.trim())
        .run(&["config", "check"]);
    assert_eq!(checked.status, 0, "{}", checked.stderr);
}

#[test]
fn topics_are_applied_checked_and_mended() {
    let hookline = Hookline::with_kafka();
    let lanes = hookline.topic("lanes");
    let missing = hookline.run(&["topics", "check"]);
    assert!(
        missing.status == 1 && missing.stdout.contains(&format!("topic {lanes} is missing")),
        "{}",
        missing.stdout
    );
    let applied = hookline.ok(&["topics", "apply"]);
    assert!(applied.contains(&format!("created  {lanes}")), "{applied}");
    assert_eq!(hookline.ok(&["topics", "apply"]), "all topics are as they should be\n");
    assert_eq!(hookline.ok(&["topics", "check"]), "all topics are as they should be\n");

    process::block_on(async {
        let admin = kafka_log::Admin::new(&hookline.connection()).expect("a client");
        admin
            .set(&lanes, &[("retention.ms".into(), "60000".into())])
            .await
            .expect("it can be altered");
    });
    // The brokers' answer to a description is some milliseconds behind the change.
    let checked = hookline.run_until(&["topics", "check"], 1);
    assert!(
        checked
            .stdout
            .contains(&format!("topic {lanes} retention.ms is 60000, not -1")),
        "{}",
        checked.stdout
    );
    assert_eq!(
        hookline.ok(&["topics", "apply"]),
        format!("changed  {lanes}: retention.ms from 60000 to -1\n")
    );
    hookline.run_until(&["topics", "check"], 0);

    let other = hookline.with("HOOKLINE_KAFKA__LANES", "5");
    let checked = other.run(&["topics", "check"]);
    assert!(
        checked.status == 1 && checked.stdout.contains("has 4 partitions, not 5"),
        "{}",
        checked.stdout
    );
    let served = other.with("HOOKLINE_SECRETS__KEY", KEY).run(&["serve", "api"]);
    assert!(
        served.status == 1 && served.stderr.contains("has 4 partitions, not 5"),
        "{}",
        served.stderr
    );
}

#[test]
fn tenants_keys_and_endpoints_are_managed_over_kafka() {
    let hookline = Hookline::with_kafka().with("HOOKLINE_SECRETS__KEY", KEY);
    hookline.ok(&["topics", "apply"]);
    let serving = Serving::start(&hookline, "api");
    serving.await_ready();

    hookline.ok(&[
        "tenant",
        "create",
        "--direct",
        "Acme",
        "--id",
        "org_acme",
        "--catalogs",
        "platform,case_events",
    ]);
    let tenants = hookline.json(&["tenant", "list", "--direct", "--output", "json"]);
    assert_eq!(
        (&tenants[0]["id"], &tenants[0]["name"]),
        (&"org_acme".into(), &"Acme".into())
    );
    let misspelt = hookline.run(&words(
        "endpoint create --direct --tenant org_acme --url https://example.com/ --filter * --scopes valt",
    ));
    assert!(
        misspelt.status == 2 && misspelt.stderr.contains("use agent"),
        "{}",
        misspelt.stderr
    );
    let prefix = hookline.run(&words("tenant create --direct Dashless --header-prefix case-webhook"));
    assert!(
        prefix.status == 1 && prefix.stderr.contains("end with '-'"),
        "{}",
        prefix.stderr
    );
    let twice = hookline.run(&["tenant", "create", "--direct", "Again", "--id", "org_acme"]);
    assert_eq!(twice.status, 1, "{}", twice.stdout);
    keys(&hookline);
    let endpoint = endpoints(&hookline);
    secrets(&hookline, &endpoint);

    let deleted = hookline.ok(&["endpoint", "delete", &endpoint, "--direct"]);
    assert_eq!(deleted, format!("endpoint {endpoint} was deleted\n"));
    assert_eq!(hookline.run(&["endpoint", "get", &endpoint, "--direct"]).status, 1);
    assert_eq!(
        hookline.json(&["endpoint", "list", "--direct", "--output", "json"]),
        Value::Array(vec![])
    );
    serving.terminate();
}

fn keys(hookline: &Hookline) {
    let made = hookline.json(&[
        "key",
        "create",
        "--direct",
        "--tenant",
        "org_acme",
        "--scopes",
        "vault,webhooks",
        "--output",
        "json",
    ]);
    let (id, plain) = (
        made["id"].as_str().expect("an id"),
        made["key"].as_str().expect("the key"),
    );
    let listed = hookline.ok(&["key", "list", "--direct", "--tenant", "org_acme", "--output", "jsonl"]);
    assert!(listed.contains(id) && !listed.contains(plain), "{listed}");
    hookline.ok(&["key", "revoke", id, "--direct"]);
    let again = hookline.run(&["key", "revoke", id, "--direct"]);
    assert!(
        again.status == 1 && again.stderr.contains("there is no key"),
        "{}",
        again.stderr
    );
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// The id of the one that is left.
fn endpoints(hookline: &Hookline) -> String {
    let create = "endpoint create --direct --tenant org_acme --output json";
    for (more, said) in [
        ("--url http://example.com/ --filter *", "plain http is not allowed"),
        ("--url https://127.1/ --filter *", "not public"),
        (
            "--url https://example.com/ --filter vault.ingest.finished",
            "not a type",
        ),
        (
            "--url https://example.com/ --filter ocr.job.created --scopes vault",
            "--scopes",
        ),
        (
            "--url https://example.com/ --filter * --header content-length=5",
            "set by Hookline itself",
        ),
        (
            "--url https://example.com/ --filter * --header webhook-id=mine",
            "set by Hookline itself",
        ),
        (
            "--url https://example.com/ --filter cases.created",
            "catalogs are: platform, case_events",
        ),
    ] {
        let refused = hookline.run(&words(&format!("{create} {more}")));
        assert!(
            refused.status == 1 && refused.stderr.contains(said),
            "{more}: {}",
            refused.stderr
        );
    }
    let made = hookline.json(&words(&format!(
        "{create} --url https://example.com/hook --filter vault.ingest.* --filter case.created --rate 10 \
         --max-in-flight 4 --timeout 20 --retry-schedule 1,2,3 --dialect retry_all --envelope event_payload \
         --vault-id v1 --header x-team=hidden-value --scopes vault --description tests --placement shared --metadata team=blue --metadata tier=a=b"
    )));
    let endpoint = &made["endpoint"];
    assert!(
        made["signingSecret"]
            .as_str()
            .is_some_and(|secret| secret.starts_with("whsec_"))
    );
    assert_eq!(
        endpoint["rateLimit"],
        serde_json::json!({"perSecond": 10.0, "burst": 10})
    );
    assert_eq!(endpoint["headers"], serde_json::json!({"x-team": "[redacted]"}));
    assert_eq!(
        (&endpoint["dialect"], &endpoint["disableOnGone"]),
        (&"retry_all".into(), &false.into())
    );
    assert_eq!(endpoint["retrySchedule"], serde_json::json!([1, 2, 3]));
    let id = endpoint["id"].as_str().expect("an id").to_owned();

    let update = format!("endpoint update {id} --direct --status paused --unset rate,description --output json");
    let updated = hookline.json(&words(&update));
    let updated = &updated["endpoint"];
    assert_eq!(
        (&updated["status"], &updated["rateLimit"]),
        (&"paused".into(), &Value::Null)
    );
    assert_eq!((&updated["version"], &updated["timeoutSec"]), (&2.into(), &20.into()));
    assert_eq!(updated["metadata"], serde_json::json!({"team": "blue", "tier": "a=b"}));
    let update = format!("endpoint update {id} --direct --retry-schedule none --unset metadata --output json");
    let updated = &hookline.json(&words(&update))["endpoint"];
    assert_eq!(
        (&updated["retrySchedule"], &updated["metadata"]),
        (&serde_json::json!([]), &serde_json::json!({})),
        "no retries, no metadata"
    );
    assert_eq!(
        (&updated["signatureScheme"], &updated["publicKey"]),
        (&"v1".into(), &Value::Null)
    );
    let update = format!("endpoint update {id} --direct --signature-scheme both --envelope cloudevents --output json");
    let updated = &hookline.json(&words(&update))["endpoint"];
    assert_eq!(
        (&updated["signatureScheme"], &updated["envelope"]),
        (&"both".into(), &"cloudevents".into())
    );
    let public_key = updated["publicKey"].as_str().expect("it is shown");
    assert!(public_key.starts_with("whpk_"), "{public_key}");
    let got = hookline.ok(&["endpoint", "get", &id, "--direct"]);
    assert!(
        got.contains("paused") && got.contains(public_key) && !got.contains("hidden-value") && !got.contains("whsec_"),
        "{got}"
    );
    let listed = hookline.ok(&words("endpoint list --direct --tenant org_acme --status paused"));
    assert!(listed.contains(&id), "{listed}");
    id
}

fn secrets(hookline: &Hookline, endpoint: &str) {
    let rotated = hookline.json(&["endpoint", "rotate-secret", endpoint, "--direct", "--output", "json"]);
    assert!(
        rotated["signingSecret"]
            .as_str()
            .is_some_and(|secret| secret.starts_with("whsec_"))
    );
    assert_eq!(rotated["endpoint"]["hasPreviousSigningSecret"], true);
    brought_secrets(hookline, endpoint);
    let next = hookline.with("HOOKLINE_SECRETS__KEY", NEXT_KEY);
    let failed = next.run(&["rekey"]);
    assert_eq!(
        failed.status, 1,
        "nothing can be opened without the previous key: {}",
        failed.stdout
    );
    let next = next.with("HOOKLINE_SECRETS__PREVIOUS_KEYS", KEY);
    assert!(next.ok(&["rekey"]).starts_with("1 endpoints were encrypted anew"));
    assert!(next.ok(&["rekey"]).starts_with("0 endpoints"));
}

/// A secret comes from a file or stdin, so that no list of processes shows it.
fn brought_secrets(hookline: &Hookline, endpoint: &str) {
    let brought = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let file = std::env::temp_dir().join(format!("hookline-{}", uuid::Uuid::new_v4()));
    std::fs::write(&file, format!("{brought}\n")).expect("a file");
    let path = file.to_str().expect("a path");
    let rotate = [
        "endpoint",
        "rotate-secret",
        endpoint,
        "--direct",
        "--signing-secret-file",
    ];
    for (from, input) in [(path, ""), ("-", brought)] {
        let mut arguments = rotate.to_vec();
        arguments.push(from);
        let ended = hookline.run_with_input(&arguments, input);
        assert!(ended.status == 0 && ended.stdout.contains(brought), "{}", ended.stderr);
    }
    std::fs::remove_file(&file).expect("it is there");
    for (from, input, status, said) in [
        (path, "", 1, "can't open"),
        ("-", "hidden-value", 2, "--signing-secret-file"),
        ("-", "", 2, "--signing-secret-file"),
    ] {
        let mut arguments = rotate.to_vec();
        arguments.push(from);
        let ended = hookline.run_with_input(&arguments, input);
        assert!(
            ended.status == status && ended.stderr.contains(said),
            "{from}: {}",
            ended.stderr
        );
        assert!(!ended.stderr.contains("hidden"), "{}", ended.stderr);
    }
}

#[test]
fn a_change_without_a_clerk_says_what_to_start() {
    let hookline = Hookline::with_kafka();
    hookline.ok(&["topics", "apply"]);
    let ended = hookline.run(&["tenant", "create", "--direct", "Acme"]);
    assert!(
        ended.status == 1 && ended.stderr.contains("start `hookline serve api`"),
        "{}",
        ended.stderr
    );
}

#[test]
fn events_are_sent_and_bad_lines_are_named() {
    let hookline = Hookline::with_kafka();
    let unmade = hookline.run_with_input(&["event", "send"], "");
    assert!(
        unmade.status == 1 && unmade.stderr.contains("hookline topics apply"),
        "{}",
        unmade.stderr
    );
    hookline.ok(&["topics", "apply"]);
    let good = r#"{"type":"vault.ingest.completed","tenant":"org_1","data":{"vaultId":"v"}}"#;
    let sent = hookline.run_with_input(&["event", "send"], &format!("{good}\n\n{good}\n{good}"));
    assert_eq!(
        (sent.status, sent.stdout.as_str()),
        (0, format!("3 events sent to {}\n", hookline.topic("events")).as_str())
    );
    let mixed = format!("{good}\nnot json\n{good}\n{{\"type\":\"x\"}}\n");
    let sent = hookline.run_with_input(&["event", "send", "-"], &mixed);
    assert_eq!(sent.status, 1);
    assert!(sent.stdout.starts_with("2 events sent"), "{}", sent.stdout);
    assert!(
        sent.stderr.contains("line 2: ") && sent.stderr.contains("line 4: "),
        "{}",
        sent.stderr
    );
    assert_eq!(hookline.count("events"), 5);

    let payload = r#"{"event_type":"case.created","payload":{"id":1}}"#;
    let refused = hookline.run_with_input(&["event", "send", "--format", "event_payload"], payload);
    assert!(
        refused.status == 1 && refused.stderr.contains("sources[]"),
        "{}",
        refused.stderr
    );
    let sources = format!(
        r#"[{{"topic":"{}","format":"event_payload","tenant":"header"}}]"#,
        hookline.topic("events")
    );
    let hookline = hookline.with("HOOKLINE_SOURCES", &sources);
    let arguments = ["event", "send", "--format", "event_payload", "--tenant", "org_1"];
    let sent = hookline.run_with_input(&arguments, payload);
    assert_eq!(sent.status, 0, "{}", sent.stderr);
    assert_eq!(hookline.count("events"), 6);
}

#[test]
fn dead_letters_are_listed_shown_exported_replayed_and_purged() {
    let hookline = Hookline::with_kafka().with("HOOKLINE_SECRETS__KEY", KEY);
    hookline.ok(&["topics", "apply"]);
    let serving = Serving::start(&hookline, "api");
    serving.await_ready();
    hookline.ok(&["tenant", "create", "--direct", "Acme", "--id", "org_acme"]);
    let create = "endpoint create --direct --tenant org_acme --url https://example.com/ --filter * --placement shared";
    let made = hookline.json(&words(&format!("{create} --output json")));
    let endpoint = made["endpoint"]["id"].as_str().expect("an id");
    process::block_on(hookline.kill_deliveries(endpoint, 3));

    let listed = hookline.ok(&words(
        "dlq list --output jsonl --reason rejected_by_receiver --since 1h",
    ));
    assert_eq!(listed.lines().count(), 3, "{listed}");
    let id = "dlv_00000000000000000000000001";
    let shown = hookline.ok(&["dlq", "show", id]);
    assert!(shown.contains("404") && shown.contains(r#"{"number": 1}"#), "{shown}");
    let gone = hookline.run(&["dlq", "show", "dlv_nothing"]);
    assert!(
        gone.status == 1 && gone.stderr.contains("not among the dead letters"),
        "{}",
        gone.stderr
    );
    let exported = hookline.ok(&["dlq", "export", "--endpoint", endpoint, "--limit", "2"]);
    assert_eq!(
        exported
            .lines()
            .filter(|line| serde_json::from_str::<Value>(line).is_ok())
            .count(),
        2,
        "{exported}"
    );

    assert_eq!(
        hookline.ok(&["dlq", "replay", "--id", id, "--dry-run"]),
        "1 dead letters would be replayed\n"
    );
    assert_eq!(
        hookline.ok(&["dlq", "replay", "--id", id, "--rate", "50"]),
        "1 dead letters replayed\n"
    );
    assert_eq!(hookline.count("returns"), 1);
    assert_eq!(
        hookline.ok(&["dlq", "purge", "--dry-run"]),
        "2 dead letters would be purged\n"
    );
    let purged = hookline.json(&["dlq", "purge", "--tenant", "org_acme", "--output", "json"]);
    assert_eq!((&purged["done"], &purged["dryRun"]), (&2.into(), &false.into()));
    assert_eq!(
        hookline.json(&["dlq", "list", "--output", "json"]),
        Value::Array(vec![])
    );
    serving.terminate();
}

#[test]
fn all_roles_start_make_their_topics_and_drain() {
    let directory = tempfile::tempdir().expect("a directory");
    let history = format!("sqlite://{}/history.db", directory.path().display());
    let hookline = Hookline::with_kafka()
        .with("HOOKLINE_SECRETS__KEY", KEY)
        .with("HOOKLINE_HISTORY__URL", &history);
    let serving = Serving::start(&hookline, "all");
    serving.await_ready();
    hookline.ok(&["topics", "check"]);
    assert!(serving.get("/livez").contains("ok"));
    assert!(serving.get("/metrics").starts_with("HTTP/1.1 200"));
    serving.terminate();
    assert!(
        directory.path().join("history.db").is_file(),
        "the delivery log has its file"
    );
}
