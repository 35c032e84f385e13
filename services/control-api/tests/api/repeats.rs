//! `Idempotency-Key`: a repeat is answered as the first request was, whatever happened in between; and a request that was
//! refused may be sent again once it is mended.

use crate::{client::Client, support::World};
use anyhow::{Context, Result};
use serde_json::{Value, json};

const ENDPOINTS: &str = "/webhooks/v1/endpoints";
const TYPE: &str = "/admin/v1/event_types/acme.built";

fn body() -> Value {
    json!({"url": "https://example.com", "eventTypeFilters": ["*"]})
}

fn path_of(made: &Value) -> Result<String> {
    Ok(format!(
        "{ENDPOINTS}/{}",
        made["endpoint"]["id"].as_str().context("an id")?
    ))
}

async fn put_type(world: &World, scope: Option<&str>) -> Result<()> {
    let wanted = json!({"stability": "stable", "requiredScope": scope}).to_string();
    let put = world.operator().send("PUT", TYPE, Some(wanted)).await?;
    assert!([200, 201].contains(&put.status), "{put:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_answered_the_same_after_its_endpoint_was_deleted() -> Result<()> {
    let world = World::start().await?;
    let second = world.another().await?;
    let keyed = world.client.with("idempotency-key", "k");
    let first = keyed.post(ENDPOINTS, &body()).await?;
    let path = path_of(&first.expect(201))?;
    let rotate = format!("{path}/rotate_secret");
    let (soon, never) = (
        json!({"previousSecretExpiresInSec": 60}),
        json!({"previousSecretExpiresInSec": 0}),
    );
    let rotated = keyed.post(&rotate, &soon).await?;
    rotated.expect(200);
    world.client.delete(&path).await?.expect(204);

    let there = keyed.at(second.address);
    for client in [&keyed, &there] {
        assert_eq!(client.post(ENDPOINTS, &body()).await?.body, first.body);
        let again = client.post(&rotate, &soon).await?;
        assert_eq!(
            (again.status, &again.body, again.header("etag")),
            (200, &rotated.body, "\"2\"")
        );
        client.post(&rotate, &never).await?.expect_error(409, "CONFLICT");
    }
    let unknown = [
        world.client.with("idempotency-key", "another"),
        world.client_with(&["webhooks"]).await?.with("idempotency-key", "k"),
        world.stranger().await?.with("idempotency-key", "k"),
        world.client.clone(),
    ];
    for client in unknown {
        client.post(&rotate, &soon).await?.expect_error(404, "NOT_FOUND");
    }
    // The first replica was the clerk: its successor knows it too.
    world.replica.stop().await?;
    assert_eq!(there.post(&rotate, &soon).await?.body, rotated.body);
    second.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn rotations_that_met_each_other_are_repeated_after_the_deletion() -> Result<()> {
    let world = World::start().await?;
    let second = world.another().await?;
    let path = path_of(&world.client.post(ENDPOINTS, &body()).await?.expect(201))?;
    let rotate = format!("{path}/rotate_secret");
    let clients: Vec<Client> = (0..8)
        .map(|n| {
            let client = world.client.with("idempotency-key", &format!("rotation-{n}"));
            if n % 2 == 0 { client } else { client.at(second.address) }
        })
        .collect();
    let racing = clients.iter().map(|client| client.send("POST", &rotate, None));
    let rotated = futures::future::try_join_all(racing).await?;
    world.client.delete(&path).await?.expect(204);
    for (client, first) in clients.iter().zip(&rotated) {
        first.expect(200);
        assert_eq!(client.send("POST", &rotate, None).await?.body, first.body);
    }
    second.stop().await?;
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_answered_the_same_after_types_and_scopes_have_changed() -> Result<()> {
    let world = World::start().await?;
    put_type(&world, None).await?;
    let wanted = json!({"url": "https://example.com", "eventTypeFilters": ["acme.built"]});
    let keyed = world.client.with("idempotency-key", "k");
    let first = keyed.post(ENDPOINTS, &wanted).await?;
    first.expect(201);
    put_type(&world, Some("acme")).await?;
    world
        .client
        .post(ENDPOINTS, &wanted)
        .await?
        .expect_error(403, "PERMISSION_DENIED");
    let again = keyed.post(ENDPOINTS, &wanted).await?;
    assert_eq!((again.status, &again.body), (201, &first.body));

    let keys = format!("/admin/v1/tenants/{}/keys", world.tenant.id);
    let operator = world.operator().with("idempotency-key", "k");
    let key = operator.post(&keys, &json!({"scopes": ["acme"]})).await?;
    key.expect(201);
    world.operator().delete(TYPE).await?.expect(204);
    world
        .client
        .post(ENDPOINTS, &wanted)
        .await?
        .expect_error(400, "INVALID_REQUEST");
    let again = keyed.post(ENDPOINTS, &wanted).await?;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(operator.post(&keys, &json!({"scopes": ["acme"]})).await?.body, key.body);
    let other = json!({"scopes": ["acme", "vault"]});
    operator.post(&keys, &other).await?.expect_error(409, "CONFLICT");
    let listed = world.client.get(ENDPOINTS).await?.expect(200);
    assert_eq!(listed["endpoints"].as_array().map(Vec::len), Some(1), "{listed}");
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_may_be_repeated_once_it_is_mended() -> Result<()> {
    let world = World::start().await?;
    let wanted = json!({"url": "https://example.com", "eventTypeFilters": ["acme.built"]});
    let keyed = world.client.with("idempotency-key", "k");
    for _ in 0..2 {
        keyed
            .post(ENDPOINTS, &wanted)
            .await?
            .expect_error(400, "INVALID_REQUEST");
    }
    put_type(&world, None).await?;
    let made = keyed.post(ENDPOINTS, &wanted).await?;
    let path = path_of(&made.expect(201))?;
    assert_eq!(keyed.post(ENDPOINTS, &wanted).await?.body, made.body);

    let rotate = format!("{path}/rotate_secret");
    let stale = keyed.with("if-match", "\"7\"").send("POST", &rotate, None).await?;
    stale.expect_error(412, "PRECONDITION_FAILED");
    let rotated = keyed.with("if-match", "\"1\"").send("POST", &rotate, None).await?;
    rotated.expect(200);
    for tag in ["\"1\"", "\"2\"", "\"7\""] {
        let again = keyed.with("if-match", tag).send("POST", &rotate, None).await?;
        assert_eq!((again.status, &again.body), (200, &rotated.body), "{tag}");
    }
    world.replica.stop().await
}
