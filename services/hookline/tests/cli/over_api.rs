//! The commands that go over the HTTP API, against `hookline serve api`.

use super::process::{Hookline, Serving};
use super::{KEY, words};
use serde_json::{Value, json};

struct Served {
    /// As the tenant.
    tenant: Hookline,
    /// As the operator.
    operator: Hookline,
    serving: Serving,
}

impl Served {
    fn start() -> Self {
        let hookline = Hookline::with_kafka().with("HOOKLINE_SECRETS__KEY", KEY);
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
