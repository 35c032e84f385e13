//! The life of an endpoint in the native API, as the contract says it.

use crate::support::World;
use anyhow::Result;
use serde_json::{Value, json};

const ENDPOINTS: &str = "/webhooks/v1/endpoints";

fn minimal() -> Value {
    json!({"url": "https://example.com/hook", "eventTypeFilters": ["vault.ingest.*"]})
}

fn is_time(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|time| time.len() == 24 && time.ends_with('Z') && time.as_bytes()[19] == b'.')
}

#[tokio::test(flavor = "multi_thread")]
async fn made_shown_listed_changed_and_deleted() -> Result<()> {
    let world = World::start().await?;
    let client = &world.client;
    let answer = client.post(ENDPOINTS, &minimal()).await?;
    let made = answer.expect(201);
    assert_eq!(
        (answer.header("etag"), answer.header("cache-control")),
        ("\"1\"", "no-store")
    );
    let secret = made["signingSecret"].as_str().expect("a secret");
    assert!(
        secret.starts_with("whsec_") && made.as_object().expect("an object").len() == 2,
        "{made}"
    );
    let endpoint = &made["endpoint"];
    let id = endpoint["id"].as_str().expect("an id");
    assert!(event_model::ids::is_endpoint_id(id), "{id}");
    assert!(
        is_time(&endpoint["createdAt"]) && is_time(&endpoint["updatedAt"]),
        "{endpoint}"
    );
    let mut rest = endpoint.clone();
    for name in ["id", "createdAt", "updatedAt"] {
        rest.as_object_mut().expect("an object").remove(name);
    }
    let mut scopes = crate::support::ALL_SCOPES;
    scopes.sort_unstable();
    let expected = json!({
        "url": "https://example.com/hook", "description": null, "eventTypeFilters": ["vault.ingest.*"], "resourceScopes": null,
        "status": "active", "disabledReason": null, "consecutiveFailureCount": 0, "lastFailureAt": null, "lastSuccessAt": null,
        "hasPreviousSigningSecret": false, "previousSigningSecretExpiresAt": null, "disabledAt": null, "headers": {},
        "rateLimit": null, "maxInFlight": 32, "timeoutSec": 15,
        "retrySchedule": [5, 60, 300, 1800, 7200, 18000, 36000, 36000], "ordering": "none", "onExhausted": "skip",
        "placement": "auto", "envelope": "standard", "dialect": "standard", "disableOnGone": true, "signatureScheme": "v1",
        "publicKey": null, "metadata": {}, "requiredScopes": scopes, "version": 1,
        "stats": {"pending": 0, "delivered": 0, "failed": 0, "p95Ms": null},
    });
    assert_eq!(rest, expected);

    let path = format!("{ENDPOINTS}/{id}");
    let shown = client.get(&path).await?;
    assert_eq!(
        (shown.expect(200), shown.header("etag")),
        (json!({"endpoint": endpoint}), "\"1\"")
    );
    let listed = client.get(ENDPOINTS).await?.expect(200);
    assert_eq!(listed, json!({"endpoints": [endpoint], "nextCursor": null}));

    let change = json!({"description": "mine", "status": "paused", "resourceScopes": {"vaultIds": ["v1"]}});
    let changed = client.patch(&path, &change).await?;
    assert_eq!(changed.header("etag"), "\"2\"");
    let changed = &changed.expect(200)["endpoint"];
    assert_eq!(changed["resourceScopes"], json!({"vaultIds": ["v1"], "matterIds": []}));
    assert_eq!(
        (&changed["status"], &changed["url"], &changed["version"]),
        (&"paused".into(), &endpoint["url"], &2.into())
    );
    let back = client
        .patch(
            &path,
            &json!({"description": null, "resourceScopes": null, "status": "active"}),
        )
        .await?;
    let back = &back.expect(200)["endpoint"];
    assert_eq!(
        (&back["description"], &back["resourceScopes"], &back["status"]),
        (&Value::Null, &Value::Null, &"active".into())
    );

    assert_eq!(client.delete(&path).await?.expect(204), Value::Null);
    for answer in [
        client.get(&path).await?,
        client.delete(&path).await?,
        client.patch(&path, &json!({})).await?,
    ] {
        answer.expect_error(404, "NOT_FOUND");
    }
    assert_eq!(client.get(ENDPOINTS).await?.expect(200)["endpoints"], json!([]));
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_nothing_is_no_new_version() -> Result<()> {
    let world = World::start().await?;
    let made = world.client.post(ENDPOINTS, &minimal()).await?.expect(201);
    let path = format!("{ENDPOINTS}/{}", made["endpoint"]["id"].as_str().expect("an id"));
    let position = world.replica.ledger.barrier().await?.position();
    for nothing in [
        json!({}),
        json!({"status": "active", "url": "https://example.com/hook"}),
    ] {
        assert_eq!(
            world.client.patch(&path, &nothing).await?.expect(200)["endpoint"],
            made["endpoint"]
        );
    }
    assert_eq!(world.replica.ledger.barrier().await?.position(), position);
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_rotated_and_both_sign_until_the_old_one_expires() -> Result<()> {
    let world = World::start().await?;
    let brought = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let mut body = minimal();
    body["signingSecret"] = brought.into();
    let made = world.client.post(ENDPOINTS, &body).await?.expect(201);
    assert_eq!(made["signingSecret"], brought);
    let id = made["endpoint"]["id"].as_str().expect("an id").to_owned();
    let rotate = format!("{ENDPOINTS}/{id}/rotate_secret");

    let rotated = world.client.send("POST", &rotate, None).await?.expect(200);
    let new = rotated["signingSecret"].as_str().expect("a secret").to_owned();
    assert_ne!(new, brought);
    let endpoint = &rotated["endpoint"];
    assert_eq!(
        (&endpoint["hasPreviousSigningSecret"], &endpoint["version"]),
        (&true.into(), &2.into())
    );
    assert!(is_time(&endpoint["previousSigningSecretExpiresAt"]));
    let view = world.replica.ledger.view();
    let stored = view.endpoint(&id).expect("it is there");
    let in_a_day = runtime::clock::now_ms() + 86_400_000;
    assert!((stored.previous_signing_secret_expires_at_ms.expect("a time") - in_a_day).abs() < 60_000);
    let signing = ledger::open_signing_secrets(stored, &world.keyring, runtime::clock::now_ms())?;
    assert_eq!(signing, [new, brought.to_owned()]);

    let at_once = json!({"previousSecretExpiresInSec": 0, "signingSecret": brought});
    let rotated = world.client.post(&rotate, &at_once).await?.expect(200);
    assert_eq!(
        (
            &rotated["signingSecret"],
            &rotated["endpoint"]["hasPreviousSigningSecret"]
        ),
        (&brought.into(), &false.into())
    );
    for (wrong, path) in [
        (
            json!({"previousSecretExpiresInSec": 2_592_001}),
            "previousSecretExpiresInSec",
        ),
        (json!({"previousSecretExpiresInSec": -1}), "previousSecretExpiresInSec"),
        (json!({"signingSecret": "whsec_short"}), "signingSecret"),
    ] {
        assert_eq!(
            world
                .client
                .post(&rotate, &wrong)
                .await?
                .expect_error(400, "INVALID_REQUEST"),
            path
        );
    }
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_rotation_leaves_the_first_secret_valid_and_the_ninth_is_refused() -> Result<()> {
    let world = World::start().await?;
    let made = world.client.post(ENDPOINTS, &minimal()).await?.expect(201);
    let id = made["endpoint"]["id"].as_str().expect("an id").to_owned();
    let rotate = format!("{ENDPOINTS}/{id}/rotate_secret");
    let signing = || {
        let view = world.replica.ledger.view();
        let stored = view.endpoint(&id).expect("it is there");
        ledger::open_signing_secrets(stored, &world.keyring, runtime::clock::now_ms())
    };
    let longest = json!({"previousSecretExpiresInSec": 2_592_000});
    let mut secrets = vec![made["signingSecret"].clone()];
    let mut expires_at = Value::Null;
    for nth in 0..8 {
        let answer = if nth == 0 {
            world.client.post(&rotate, &longest).await?
        } else {
            world.client.send("POST", &rotate, None).await?
        };
        let rotated = answer.expect(200);
        if nth == 0 {
            expires_at = rotated["endpoint"]["previousSigningSecretExpiresAt"].clone();
        }
        assert_eq!(
            rotated["endpoint"]["previousSigningSecretExpiresAt"], expires_at,
            "that of the last one to expire"
        );
        secrets.insert(0, rotated["signingSecret"].clone());
        assert_eq!(json!(signing()?), json!(secrets));
    }

    let refused = world.client.send("POST", &rotate, None).await?;
    refused.expect_error(409, "CONFLICT");
    assert!(
        refused.body.contains("previousSecretExpiresInSec 0"),
        "{}",
        refused.body
    );
    assert_eq!(json!(signing()?), json!(secrets), "it changed nothing");
    let at_once = json!({"previousSecretExpiresInSec": 0});
    let rotated = world.client.post(&rotate, &at_once).await?.expect(200);
    assert_eq!(rotated["endpoint"]["hasPreviousSigningSecret"], false);
    assert_eq!(json!(signing()?), json!([rotated["signingSecret"]]));
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_loses_a_change_and_a_stale_one_is_refused() -> Result<()> {
    let world = World::start().await?;
    let made = world.client.post(ENDPOINTS, &minimal()).await?.expect(201);
    let path = format!("{ENDPOINTS}/{}", made["endpoint"]["id"].as_str().expect("an id"));
    let seen = world.client.with("if-match", "\"1\"");
    let races = (0..8).map(|n| {
        let (seen, path) = (seen.clone(), path.clone());
        tokio::spawn(async move { seen.patch(&path, &json!({"description": n.to_string()})).await })
    });
    let mut statuses = Vec::new();
    for race in races.collect::<Vec<_>>() {
        statuses.push(race.await??.status);
    }
    statuses.sort_unstable();
    assert_eq!(
        statuses,
        [200, 412, 412, 412, 412, 412, 412, 412],
        "one of them had the right version"
    );
    seen.patch(&path, &json!({}))
        .await?
        .expect_error(412, "PRECONDITION_FAILED");
    seen.delete(&path).await?.expect_error(412, "PRECONDITION_FAILED");
    let any = world
        .client
        .with("if-match", "*")
        .patch(&path, &json!({"description": "any"}))
        .await?;
    assert_eq!(any.header("etag"), "\"3\"");

    // Without If-Match all of them are made, one after the other.
    let changes = (0..8).map(|n| {
        let (client, path) = (world.client.clone(), path.clone());
        tokio::spawn(async move { client.patch(&path, &json!({"metadata": {"n": n.to_string()}})).await })
    });
    let mut versions = Vec::new();
    for change in changes.collect::<Vec<_>>() {
        versions.push(
            change.await??.expect(200)["endpoint"]["version"]
                .as_i64()
                .expect("a version"),
        );
    }
    versions.sort_unstable();
    assert_eq!(versions, (4..=11).collect::<Vec<_>>());
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_and_what_comes_later_are_refused_with_a_reason() -> Result<()> {
    let world = World::start().await?;
    let mut tenant = world.tenant.clone();
    tenant.quotas.endpoints = 1;
    world.replica.writer.put(tenant.into(), Some(1)).await?;
    let made = world.client.post(ENDPOINTS, &minimal()).await?.expect(201);
    world
        .client
        .post(ENDPOINTS, &minimal())
        .await?
        .expect_error(409, "CONFLICT");
    let path = format!("{ENDPOINTS}/{}", made["endpoint"]["id"].as_str().expect("an id"));
    for (later, at) in [
        (json!({"ordering": "endpoint"}), "ordering"),
        (json!({"onExhausted": "block"}), "onExhausted"),
        (json!({"placement": "shared"}), "placement"),
    ] {
        let answer = world.client.patch(&path, &later).await?;
        assert_eq!(answer.expect_error(400, "INVALID_REQUEST"), at);
        assert!(answer.body.contains("later version"), "{answer:?}");
    }
    assert_eq!(world.client.get(&path).await?.expect(200)["endpoint"], made["endpoint"]);
    world.replica.stop().await
}
