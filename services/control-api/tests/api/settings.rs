//! Hookline's own settings of an endpoint: taken, answered, kept.

use crate::support::World;
use anyhow::Result;
use serde_json::json;

const ENDPOINTS: &str = "/webhooks/v1/endpoints";

#[tokio::test(flavor = "multi_thread")]
async fn every_setting_is_answered_as_it_was_set() -> Result<()> {
    let world = World::start().await?;
    let wanted = json!({
        "url": "https://example.com/hook?x=1", "eventTypeFilters": ["*", "vault.ingest.completed"], "description": "böse",
        "resourceScopes": {"vaultIds": ["v1"], "matterIds": ["m1", "m2"]},
        "headers": {"X-Team": "blue", "Authorization": "Bearer abc", "x-api-key": "k"},
        "rateLimit": {"perSecond": 2.5}, "maxInFlight": 7, "timeoutSec": 9, "retrySchedule": [], "ordering": "none",
        "onExhausted": "skip", "placement": "shared", "envelope": "cloudevents", "dialect": "retry_all",
        "signatureScheme": "both", "metadata": {"a": "1"},
    });
    let made = &world.client.post(ENDPOINTS, &wanted).await?.expect(201)["endpoint"];
    for (name, value) in wanted.as_object().expect("an object") {
        if !["headers", "rateLimit"].contains(&name.as_str()) {
            assert_eq!(made[name], *value, "{name}");
        }
    }
    assert_eq!(
        made["headers"],
        json!({"x-team": "blue", "authorization": "[redacted]", "x-api-key": "[redacted]"})
    );
    assert_eq!(made["rateLimit"], json!({"perSecond": 2.5, "burst": 3}));
    assert_eq!(made["disableOnGone"], false, "the dialect's default");
    assert!(made["publicKey"].as_str().is_some_and(|key| key.starts_with("whpk_")));

    let id = made["id"].as_str().expect("an id");
    let path = format!("{ENDPOINTS}/{id}");
    let changed = json!({"headers": made["headers"], "disableOnGone": true, "timeoutSec": null, "retrySchedule": null,
        "rateLimit": null, "maxInFlight": null});
    let changed = &world.client.patch(&path, &changed).await?.expect(200)["endpoint"];
    assert_eq!(
        (&changed["headers"], &changed["publicKey"]),
        (&made["headers"], &made["publicKey"])
    );
    assert_eq!(
        (&changed["timeoutSec"], &changed["maxInFlight"], &changed["rateLimit"]),
        (&15.into(), &32.into(), &json!(null))
    );
    let view = world.replica.ledger.view();
    let open = ledger::open_headers(view.endpoint(id).expect("it is there"), &world.keyring)?;
    let kept = [("authorization", "Bearer abc"), ("x-api-key", "k"), ("x-team", "blue")];
    assert_eq!(
        open,
        kept.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    );
    let dialect = &world
        .client
        .patch(&path, &json!({"dialect": "standard"}))
        .await?
        .expect(200)["endpoint"];
    assert_eq!(dialect["disableOnGone"], true, "what is left out stays");
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_automatically_disabled_endpoint_is_enabled_again() -> Result<()> {
    let world = World::start().await?;
    let body = json!({"url": "https://example.com/hook", "eventTypeFilters": ["*"]});
    let made = world.client.post(ENDPOINTS, &body).await?.expect(201);
    let id = made["endpoint"]["id"].as_str().expect("an id");
    let view = world.replica.ledger.view();
    let mut disabled = (*view.endpoint(id).expect("it is there").entity).clone();
    disabled.status = "auto_disabled".into();
    disabled.disabled_reason = Some("gone".into());
    disabled.disabled_at_ms = Some(1_000);
    disabled.consecutive_failures = Some(3);
    disabled.last_failure_at_ms = Some(2_000);
    world.replica.writer.put(disabled.into(), Some(1)).await?;
    let path = format!("{ENDPOINTS}/{id}");
    let shown = &world.client.get(&path).await?.expect(200)["endpoint"];
    assert_eq!(
        (&shown["status"], &shown["disabledReason"]),
        (&"auto_disabled".into(), &"gone".into())
    );
    assert_eq!(
        (&shown["disabledAt"], &shown["lastFailureAt"]),
        (&"1970-01-01T00:00:01.000Z".into(), &"1970-01-01T00:00:02.000Z".into())
    );
    assert_eq!(shown["consecutiveFailureCount"], 3);
    let listed = world
        .client
        .get(&format!("{ENDPOINTS}?status=auto_disabled"))
        .await?
        .expect(200);
    assert_eq!(listed["endpoints"][0]["id"], id);
    let refused = world.client.patch(&path, &json!({"status": "auto_disabled"})).await?;
    assert_eq!(refused.expect_error(400, "INVALID_REQUEST"), "status");
    let enabled = &world
        .client
        .patch(&path, &json!({"status": "active"}))
        .await?
        .expect(200)["endpoint"];
    assert_eq!(
        (&enabled["status"], &enabled["disabledReason"], &enabled["disabledAt"]),
        (&"active".into(), &json!(null), &json!(null))
    );
    assert_eq!(enabled["consecutiveFailureCount"], 0);
    let disabled = &world
        .client
        .patch(&path, &json!({"status": "disabled"}))
        .await?
        .expect(200)["endpoint"];
    assert!(disabled["disabledAt"].is_string() && disabled["disabledReason"].is_null());
    world.replica.stop().await
}
