//! `hookline doctor` against a Kafka in several states of health.

use super::process::{Hookline, Serving};
use super::{KEY, NEXT_KEY, words};
use serde_json::Value;

/// Status and message of a check.
fn found<'a>(findings: &'a Value, name: &str) -> (&'a str, &'a str) {
    let finding = findings
        .as_array()
        .and_then(|all| all.iter().find(|one| one["name"] == name));
    let finding = finding.unwrap_or_else(|| panic!("no {name} in {findings}"));
    let text = |field: &str| finding[field].as_str().expect("a text");
    (text("status"), text("message"))
}

fn examine(hookline: &Hookline) -> (i32, Value) {
    let ended = hookline.run(&["doctor", "--output", "json"]);
    let findings = serde_json::from_str(&ended.stdout);
    let findings = findings.unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr));
    (ended.status, findings)
}

#[test]
fn what_is_wrong_is_found_and_what_is_mended_is_well() {
    let hookline = Hookline::with_kafka().with("HOOKLINE_SECRETS__KEY", KEY);
    let (status, findings) = examine(&hookline);
    let (topics, said) = found(&findings, "topics");
    assert_eq!((status, topics), (1, "fail"));
    assert!(
        said.contains(" more: each is missing; run `hookline topics apply`"),
        "{said}"
    );
    for name in ["secrets", "api", "clock"] {
        assert_eq!(found(&findings, name).0, "skip", "{name}: {findings}");
    }
    assert!(
        found(&findings, "ledger").1.contains("hookline topics apply"),
        "{findings}"
    );

    hookline.ok(&["topics", "apply"]);
    let (status, findings) = examine(&hookline);
    assert_eq!((status, found(&findings, "clerk").0), (1, "fail"), "{findings}");
    assert!(found(&findings, "clerk").1.contains("hookline serve api"), "{findings}");
    assert_eq!(found(&findings, "ledger").0, "warn", "nothing is in it: {findings}");

    let serving = Serving::start(&hookline, "api");
    serving.await_ready();
    hookline.ok(&words("tenant create --direct Acme --id org_acme"));
    hookline.ok(&words(
        "endpoint create --direct --tenant org_acme --url https://example.com/ --filter *",
    ));
    let asking = hookline
        .with("HOOKLINE_URL", &serving.api_url())
        .with("HOOKLINE_API_KEY", "the-operator");
    let (status, findings) = examine(&asking);
    assert_eq!(status, 0, "{findings}");
    let ended = asking.run(&["doctor"]);
    assert!(
        ended.stdout.ends_with("\nNothing failed; 2 warnings.\n"),
        "{}",
        ended.stdout
    );
    for name in [
        "brokers", "topics", "access", "ledger", "secrets", "clerk", "history", "egress", "api", "clock",
    ] {
        assert_eq!(found(&findings, name).0, "ok", "{name}: {findings}");
    }
    assert_eq!(
        found(&findings, "sources").0,
        "warn",
        "everyone may speak for every tenant"
    );

    let (status, findings) = examine(&asking.with("HOOKLINE_API_KEY", "hk_wrong"));
    assert_eq!((status, found(&findings, "api").0), (1, "fail"), "{findings}");
    let other = hookline.with("HOOKLINE_SECRETS__KEY", NEXT_KEY);
    let (status, findings) = examine(&other);
    assert_eq!((status, found(&findings, "secrets").0), (1, "fail"), "{findings}");
    let (status, findings) = examine(&other.with("HOOKLINE_SECRETS__PREVIOUS_KEYS", KEY));
    assert_eq!((status, found(&findings, "secrets").0), (0, "warn"), "{findings}");
    assert!(found(&findings, "secrets").1.contains("hookline rekey"), "{findings}");
    serving.terminate();
}

#[test]
fn without_kafka_the_rest_is_examined_and_risks_are_named() {
    let hookline = Hookline::without_kafka()
        .with("HOOKLINE_KAFKA__BROKERS", "127.0.0.1:1")
        .with("HOOKLINE_EGRESS__ALLOW_HTTP", "true")
        .with("HOOKLINE_EGRESS__ALLOW_NETWORKS", "169.254.169.254/32")
        .with("HOOKLINE_EGRESS__PROXY", "http://user:hidden@127.0.0.1:1");
    let ended = hookline.run(&["doctor"]);
    assert_eq!(ended.status, 1, "{}", ended.stdout);
    for part in [
        "fail  brokers        127.0.0.1:1 can't be connected to (Connection refused",
        "fail  secrets        secrets.key is not set",
        "skip  clock",
        "warn  egress         egress.allow_http",
        "credentials",
        "fail  proxy          127.0.0.1:1",
    ] {
        assert!(ended.stdout.contains(part), "no {part} in {}", ended.stdout);
    }
    let last = ended.stdout.lines().last().expect("a last line");
    assert!(last.starts_with("3 failures, "), "{last}");
    assert!(!ended.stdout.contains("hidden"), "invariant 5: {}", ended.stdout);
    let ended = hookline.with("HOOKLINE_KAFKA__LANS", "3").run(&["doctor"]);
    assert!(
        ended.status == 1
            && ended.stdout.starts_with("fail  configuration")
            && ended.stdout.contains("HOOKLINE_KAFKA__LANES"),
        "{}",
        ended.stdout
    );
}
