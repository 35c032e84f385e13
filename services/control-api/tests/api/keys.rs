//! Who may do what: keys, scopes, tenants, the operator, and the end of a key.

use crate::{
    client::Client,
    support::{ALL_SCOPES, World},
};
use anyhow::Result;
use ledger::{Entity, Kind, entities};
use serde_json::json;
use std::{num::NonZeroU32, time::Duration};

const ENDPOINTS: &str = "/webhooks/v1/endpoints";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_answered_without_a_valid_key() -> Result<()> {
    let world = World::start().await?;
    let expired = {
        let past = Some(runtime::clock::now_ms() - 1);
        let (key, plain) = entities::new_api_key(&world.tenant.id, vec!["webhooks".into()], past, 1);
        world.replica.writer.put(Entity::from(key), Some(0)).await?;
        plain
    };
    let unknown = format!("hk_{}", "0".repeat(64));
    for key in [&expired, &unknown, "hk_short", "", "operator-key", "\u{7f}"] {
        let answer = Client::new(world.client.address, key).get(ENDPOINTS).await?;
        if key == "\u{7f}" {
            // Not even a header.
            assert_eq!(answer.status, 400, "{answer:?}");
            continue;
        }
        answer.expect_error(401, "AUTH_INVALID");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert!(!answer.body.contains(key) || key.is_empty(), "no key is repeated");
    }
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_ends_at_once_on_every_replica() -> Result<()> {
    let world = World::start().await?;
    let second = world.another().await?;
    let (key, plain) = entities::new_api_key(&world.tenant.id, vec!["webhooks".into()], None, 1);
    world.replica.writer.put(Entity::from(key.clone()), Some(0)).await?;
    let clients = [world.replica.address, second.address].map(|address| Client::new(address, &plain));
    for client in &clients {
        client.get(ENDPOINTS).await?.expect(200);
    }
    world.replica.writer.remove(Kind::Key, &key.id, Some(1)).await?;
    for client in &clients {
        client.get(ENDPOINTS).await?.expect_error(401, "AUTH_INVALID");
    }
    second.stop().await?;
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_known_at_once_on_every_replica() -> Result<()> {
    let world = World::start().await?;
    let second = world.another().await?;
    for _ in 0..10 {
        let key = world.replica.key(&world.tenant.id, &["webhooks"]).await?;
        Client::new(second.address, &key).get(ENDPOINTS).await?.expect(200);
    }
    second.stop().await?;
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_limit_filters_and_changes() -> Result<()> {
    let world = World::start().await?;
    let filters = |filters: &[&str]| json!({"url": "https://example.com", "eventTypeFilters": filters});
    let some = world.client_with(&["webhooks", "vault"]).await?;
    let refused = some
        .post(ENDPOINTS, &filters(&["vault.ingest.completed", "ocr.job.completed"]))
        .await?;
    assert_eq!(refused.expect_error(403, "PERMISSION_DENIED"), "eventTypeFilters[1]");
    let unknown = some.post(ENDPOINTS, &filters(&["vault.nonsense"])).await?;
    assert_eq!(unknown.expect_error(400, "INVALID_REQUEST"), "eventTypeFilters[0]");
    let made = some
        .post(ENDPOINTS, &filters(&["*", "ocr.*", "cases.tasks.created"]))
        .await?
        .expect(201);
    assert_eq!(made["endpoint"]["requiredScopes"], json!(["vault", "webhooks"]));
    let path = format!("{ENDPOINTS}/{}", made["endpoint"]["id"].as_str().expect("an id"));

    let managing = world.client_with(&["webhooks"]).await?;
    managing.get(&path).await?.expect(200);
    managing
        .patch(&path, &json!({"description": "x"}))
        .await?
        .expect_error(403, "PERMISSION_DENIED");
    managing.delete(&path).await?.expect_error(403, "PERMISSION_DENIED");
    managing
        .send("POST", &format!("{path}/rotate_secret"), None)
        .await?
        .expect_error(403, "PERMISSION_DENIED");
    let reading = world.client_with(&["vault", "agent"]).await?;
    for answer in [
        reading.get(ENDPOINTS).await?,
        reading.get(&path).await?,
        reading.post(ENDPOINTS, &filters(&["*"])).await?,
    ] {
        answer.expect_error(403, "PERMISSION_DENIED");
    }
    // An endpoint keeps to the scopes that it was made with, whoever changes it.
    let all = world
        .client
        .patch(&path, &json!({"eventTypeFilters": ["ocr.job.completed"]}))
        .await?;
    all.expect_error(403, "PERMISSION_DENIED");
    some.patch(&path, &json!({"eventTypeFilters": ["vault.ingest.completed"]}))
        .await?
        .expect(200);
    some.delete(&path).await?.expect(204);
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_6_another_tenants_endpoint_is_nowhere() -> Result<()> {
    let world = World::start().await?;
    let stranger = world.stranger().await?;
    let body = json!({"url": "https://example.com", "eventTypeFilters": ["*"]});
    let made = world.client.post(ENDPOINTS, &body).await?.expect(201);
    let id = made["endpoint"]["id"].as_str().expect("an id");
    for base in [ENDPOINTS, "/v2.3/webhooks/endpoints"] {
        let path = format!("{base}/{id}");
        for answer in [
            stranger.get(&path).await?,
            stranger.patch(&path, &json!({"description": "x"})).await?,
            stranger.delete(&path).await?,
        ] {
            answer.expect_error(404, "NOT_FOUND");
        }
        let listed = stranger.get(base).await?.expect(200);
        assert!(!listed.to_string().contains(id), "{listed}");
    }
    let rotated = stranger
        .send("POST", &format!("{ENDPOINTS}/{id}/rotate_secret"), None)
        .await?;
    rotated.expect_error(404, "NOT_FOUND");
    let crossing = stranger.with("hookline-tenant", &world.tenant.id);
    crossing.get(ENDPOINTS).await?.expect_error(403, "PERMISSION_DENIED");
    assert_eq!(
        world.client.get(&format!("{ENDPOINTS}/{id}")).await?.expect(200)["endpoint"],
        made["endpoint"]
    );
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_acts_for_the_tenant_that_it_names() -> Result<()> {
    let world = World::start().await?;
    let operator = world.operator();
    let body = json!({"url": "https://example.com", "eventTypeFilters": ["ocr.job.completed"]});
    assert_eq!(
        operator
            .post(ENDPOINTS, &body)
            .await?
            .expect_error(400, "INVALID_REQUEST"),
        "hookline-tenant"
    );
    operator
        .with("hookline-tenant", "org_nobody")
        .get(ENDPOINTS)
        .await?
        .expect_error(404, "NOT_FOUND");
    let acting = operator.with("hookline-tenant", &world.tenant.id);
    let made = acting.post(ENDPOINTS, &body).await?.expect(201);
    let path = format!("{ENDPOINTS}/{}", made["endpoint"]["id"].as_str().expect("an id"));
    let scopes = made["endpoint"]["requiredScopes"].as_array().expect("scopes");
    assert!(scopes.contains(&"vision_ocr".into()), "{scopes:?}");
    let mut of_all_types = world.client_with(&ALL_SCOPES).await?;
    of_all_types.headers.clear();
    of_all_types
        .patch(&path, &json!({"description": "x"}))
        .await?
        .expect(200);
    acting.delete(&path).await?.expect(204);
    let own = world.client.with("hookline-tenant", &world.tenant.id);
    own.get(ENDPOINTS).await?.expect(200);
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_asks_too_often_is_told_when_to_come_back() -> Result<()> {
    let slow = control_api::Rate::per_sec(NonZeroU32::new(2).expect("it is not 0"));
    let world = World::start_with(|options| options.rate = slow).await?;
    let other = world.client_with(&["webhooks"]).await?;
    let mut left = Vec::new();
    let refused = loop {
        let answer = world.client.get(ENDPOINTS).await?;
        if answer.status == 429 {
            break answer;
        }
        answer.expect(200);
        assert_eq!(answer.header("x-ratelimit-limit"), "4");
        left.push(answer.header("x-ratelimit-remaining").parse::<u32>()?);
    };
    assert!(left.len() >= 4 && left[0] == 3, "{left:?}");
    refused.expect_error(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(
        (refused.header("retry-after"), refused.header("x-ratelimit-remaining")),
        ("1", "0")
    );
    assert_eq!(refused.header("x-ratelimit-reset"), "2");
    other.get(ENDPOINTS).await?.expect(200);
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.client.get(ENDPOINTS).await?.expect(200);
    world.replica.stop().await
}
