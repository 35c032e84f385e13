//! The commands that go over the HTTP API, against `hookline serve api`.

use super::process::{Hookline, Serving};
use super::{KEY, words};
use serde_json::{Value, json};
use signing::SigningSecret;

struct Served {
    /// As the tenant.
    tenant: Hookline,
    /// As the operator.
    operator: Hookline,
    serving: Serving,
}

impl Served {
    fn start() -> Self {
        Self::start_with(Hookline::with_kafka())
    }

    fn start_with(hookline: Hookline) -> Self {
        let hookline = hookline.with("HOOKLINE_SECRETS__KEY", KEY);
        hookline.ok(&["topics", "apply"]);
        let serving = Serving::start(&hookline, "api");
        serving.await_ready();
        hookline.ok(&words("tenant create --direct Acme --id org_acme --catalogs platform"));
        let made = hookline.json(&words(
            "key create --direct --tenant org_acme --scopes vault,webhooks --output json",
        ));
        let reached = hookline.with("HOOKLINE_URL", &serving.api_url());
        Self {
            tenant: reached.with("HOOKLINE_API_KEY", made["key"].as_str().expect("the key")),
            operator: reached.with("HOOKLINE_API_KEY", "the-operator"),
            serving,
        }
    }
}

#[test]
fn endpoints_are_managed_over_the_api() {
    let Served {
        tenant,
        operator,
        serving,
    } = Served::start();
    let id = made_and_changed(&tenant);
    let rotated = tenant.json(&words(&format!("endpoint rotate-secret {id} --output json")));
    assert!(
        rotated["signingSecret"]
            .as_str()
            .is_some_and(|secret| secret.starts_with("whsec_"))
    );
    assert_eq!(rotated["endpoint"]["hasPreviousSigningSecret"], true);

    // The operator acts for the tenant, with the key of the configuration.
    let without_key = operator.with("HOOKLINE_API_KEY", "");
    let listed = without_key.ok(&words("endpoint list --tenant org_acme"));
    assert!(
        listed.contains(&id) && listed.contains("https://example.com/hook"),
        "{listed}"
    );
    let nobody = operator.run(&words("endpoint list --tenant org_nobody"));
    assert!(
        nobody.status == 1 && nobody.stderr.contains("NOT_FOUND"),
        "{}",
        nobody.stderr
    );

    let stranger = tenant
        .with("HOOKLINE_API_KEY", "hk_wrong")
        .run(&["endpoint", "get", &id]);
    assert!(
        stranger.status == 1
            && stranger.stderr.contains("AUTH_INVALID")
            && stranger.stderr.contains("check HOOKLINE_API_KEY")
            && stranger.stderr.contains("request "),
        "{}",
        stranger.stderr
    );
    assert_eq!(
        tenant.ok(&["endpoint", "delete", &id]),
        format!("endpoint {id} was deleted\n")
    );
    let gone = tenant.run(&["endpoint", "get", &id]);
    assert!(gone.status == 1 && gone.stderr.contains("NOT_FOUND"), "{}", gone.stderr);
    assert_eq!(tenant.json(&words("endpoint list --output json")), json!([]));
    serving.terminate();
}

/// The id of the endpoint.
fn made_and_changed(tenant: &Hookline) -> String {
    for (wrong, said) in [
        ("--url https://127.1/ --filter *", "url: "),
        (
            "--url https://example.com/ --filter ocr.job.created",
            "PERMISSION_DENIED",
        ),
        (
            "--url https://example.com/ --filter vault.ingest.finished",
            "eventTypeFilters",
        ),
        (
            "--url https://example.com/ --filter * --header webhook-id=mine",
            "set by Hookline itself",
        ),
    ] {
        let refused = tenant.run(&words(&format!("endpoint create {wrong}")));
        assert!(
            refused.status == 1 && refused.stderr.contains(said),
            "{wrong}: {}",
            refused.stderr
        );
    }
    let made = tenant.json(&words(
        "endpoint create --url https://example.com/hook --filter vault.ingest.* --rate 10 --max-in-flight 4 --timeout 20 \
         --retry-schedule 1,2,3 --dialect retry_all --disable-on-gone=true --envelope event_payload --vault-id v1 \
         --header authorization=hidden-value --description tests --placement shared --metadata team=blue \
         --signature-scheme both --output json",
    ));
    assert!(
        made["signingSecret"]
            .as_str()
            .is_some_and(|secret| secret.starts_with("whsec_"))
    );
    let endpoint = &made["endpoint"];
    assert_eq!(endpoint["rateLimit"], json!({"perSecond": 10.0, "burst": 10}));
    assert_eq!(
        (
            &endpoint["dialect"],
            &endpoint["disableOnGone"],
            &endpoint["timeoutSec"]
        ),
        (&json!("retry_all"), &json!(true), &json!(20))
    );
    assert_eq!(endpoint["headers"], json!({"authorization": "[redacted]"}));
    let id = endpoint["id"].as_str().expect("an id").to_owned();

    let updated = tenant.json(&words(&format!(
        "endpoint update {id} --status paused --unset rate,description,retry-schedule,metadata --output json"
    )));
    let updated = &updated["endpoint"];
    assert_eq!(
        (&updated["status"], &updated["rateLimit"], &updated["description"]),
        (&json!("paused"), &Value::Null, &Value::Null)
    );
    assert_eq!((&updated["metadata"], &updated["timeoutSec"]), (&json!({}), &json!(20)));
    let got = tenant.ok(&["endpoint", "get", &id]);
    assert!(
        got.contains("paused") && !got.contains("hidden-value") && !got.contains("whsec_"),
        "{got}"
    );
    let listed = tenant.ok(&words("endpoint list --status paused --output jsonl"));
    assert_eq!(listed.lines().count(), 1, "{listed}");
    assert_eq!(
        tenant.json(&words("endpoint list --status active --output json")),
        json!([])
    );
    id
}

#[test]
fn events_are_published_over_the_api_and_bad_lines_are_named() {
    let Served { tenant, serving, .. } = Served::start();
    let good = r#"{"type":"vault.ingest.completed","data":{"vaultId":"v","objectId":"o","durationMs":1}}"#;
    let sent = tenant.run_with_input(&["event", "send", "--http"], &format!("{good}\n\n{good}\n{good}"));
    assert_eq!(sent.status, 0, "{}", sent.stderr);
    assert!(sent.stdout.starts_with("3 events sent to http://"), "{}", sent.stdout);
    let mixed = format!("{good}\nnot json\n{good}\n{{\"type\":\"x\"}}\n");
    let sent = tenant.run_with_input(&["event", "send", "--http", "-"], &mixed);
    assert_eq!(sent.status, 1, "{}", sent.stdout);
    assert!(sent.stdout.starts_with("2 events sent"), "{}", sent.stdout);
    assert!(
        sent.stderr.contains("line 2: ") && sent.stderr.contains("line 4: ") && !sent.stderr.contains("line 3"),
        "{}",
        sent.stderr
    );
    // More than one batch.
    let many = format!("{good}\n").repeat(1200);
    let sent = tenant.run_with_input(&["event", "send", "--http"], &many);
    assert_eq!((sent.status, tenant.count("ingest")), (0, 1205), "{}", sent.stderr);
    serving.terminate();
}

#[test]
fn tenants_and_keys_are_managed_over_the_api() {
    let Served {
        tenant,
        operator,
        serving,
    } = Served::start();
    let made = operator.json(&words(
        "tenant create Umbrella --catalogs platform,case_events --header-prefix case-webhook- --output json",
    ));
    let id = made["tenant"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(made["tenant"]["headerPrefix"], "case-webhook-");
    let listed = operator.ok(&["tenant", "list"]);
    assert!(
        listed.contains(&id) && listed.contains("Umbrella") && listed.contains("org_acme"),
        "{listed}"
    );
    assert_eq!(
        tenant.ok(&["tenant", "list"]),
        listed,
        "the operator's key goes before a tenant's"
    );
    let refused = tenant.without("HOOKLINE_API__OPERATOR_KEY").run(&["tenant", "list"]);
    assert!(
        refused.status == 1 && refused.stderr.contains("PERMISSION_DENIED"),
        "{}",
        refused.stderr
    );

    let create = format!("key create --tenant {id} --scopes vault,webhooks --expires-at 2099-01-01T00:00:00Z");
    let key = operator.json(&words(&format!("{create} --output json")));
    let (key_id, plain) = (
        key["id"].as_str().expect("an id"),
        key["key"].as_str().expect("the key"),
    );
    let listed = operator.ok(&words(&format!("key list --tenant {id}")));
    assert!(
        listed.contains(key_id) && listed.contains("2099") && !listed.contains(plain),
        "{listed}"
    );
    let holder = operator.with("HOOKLINE_API_KEY", plain);
    assert_eq!(holder.json(&words("endpoint list --output json")), json!([]));
    operator.ok(&["key", "revoke", key_id]);
    assert!(holder.run(&["endpoint", "list"]).stderr.contains("AUTH_INVALID"));
    let again = operator.run(&["key", "revoke", key_id]);
    assert!(
        again.status == 1 && again.stderr.contains("there is no key"),
        "{}",
        again.stderr
    );
    serving.terminate();
}

#[test]
fn a_test_shows_what_the_receiver_made_of_it() {
    let local = Hookline::with_kafka()
        .with("HOOKLINE_EGRESS__ALLOW_HTTP", "true")
        .with("HOOKLINE_EGRESS__ALLOW_NETWORKS", "127.0.0.0/8");
    let Served { tenant, serving, .. } = Served::start_with(local);
    let secret = SigningSecret::generate().expose();
    let mut receiver = tenant.spawn(&[
        "listen", "--port", "0", "--count", "2", "--output", "jsonl", "--secret", &secret,
    ]);
    let address = super::listen::address(&mut receiver);
    let made = tenant.json(&words(&format!(
        "endpoint create --url http://{address}/hooks --filter * --signing-secret {secret} --output json"
    )));
    let id = made["endpoint"]["id"].as_str().expect("an id");
    let told = tenant.ok(&["endpoint", "test", id]);
    assert!(told.starts_with("accepted: status 200 after "), "{told}");
    let payload = ["--payload", r#"{"n":1}"#, "--event-type", "vault.ingest.completed"];
    tenant.ok(&[["endpoint", "test", id].as_slice(), &payload].concat());
    let output = receiver.end();
    let text = String::from_utf8(output.stdout).expect("what it says is text");
    let seen: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    assert!(seen.iter().all(|request| request["verified"] == true), "{text}");
    assert_eq!(
        (&seen[0]["body"]["type"], &seen[1]["body"]["data"]["n"]),
        (&"webhook.test".into(), &1.into())
    );

    let refused = tenant.run(&["endpoint", "test", id, "--output", "json"]);
    assert_eq!(refused.status, 1, "nobody listens any more: {}", refused.stdout);
    let result: Value = serde_json::from_str(&refused.stdout).expect("JSON");
    assert_eq!((&result["ok"], &result["statusCode"]), (&false.into(), &Value::Null));
    serving.terminate();
}

#[test]
fn a_backup_is_made_and_restored_over_the_api() {
    let Served { operator, serving, .. } = Served::start();
    let text = operator.ok(&["ledger", "export"]);
    assert_eq!(text.lines().count(), 4, "first, tenant, key, last: {text}");
    let imported = operator.run_with_input(&["ledger", "import", "--output", "json"], &text);
    assert_eq!(imported.status, 0, "{}", imported.stderr);
    let imported: Value = serde_json::from_str(&imported.stdout).expect("JSON");
    assert_eq!((&imported["created"], &imported["unchanged"]), (&0.into(), &2.into()));
    let refused = operator.run_with_input(&["ledger", "import"], &text.replace("Acme", "Umbrella"));
    assert!(
        refused.status == 1 && refused.stderr.contains("tenant/org_acme is here already"),
        "{}",
        refused.stderr
    );
    serving.terminate();
}
