//! `Idempotency-Key`: applied once, answered the same, by whichever replica.

use crate::support::World;
use anyhow::Result;
use serde_json::json;

const ENDPOINTS: &str = "/webhooks/v1/endpoints";

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_answered_byte_for_byte_on_another_replica_and_by_the_next_clerk() -> Result<()> {
    let world = World::start().await?;
    let second = world.another().await?;
    let body = json!({"url": "https://example.com", "eventTypeFilters": ["*"]});
    let keyed = world.client.with("idempotency-key", "create-1");
    let first = keyed.post(ENDPOINTS, &body).await?;
    let made = first.expect(201);
    let again = keyed.at(second.address).post(ENDPOINTS, &body).await?;
    assert_eq!(
        (again.status, &again.body, again.header("etag")),
        (201, &first.body, "\"1\"")
    );
    let other = json!({"url": "https://example.com/other", "eventTypeFilters": ["*"]});
    keyed
        .at(second.address)
        .post(ENDPOINTS, &other)
        .await?
        .expect_error(409, "CONFLICT");

    let rotate = format!(
        "{ENDPOINTS}/{}/rotate_secret",
        made["endpoint"]["id"].as_str().expect("an id")
    );
    let rotated = keyed.send("POST", &rotate, None).await?;
    assert_ne!(
        rotated.expect(200)["signingSecret"],
        made["signingSecret"],
        "another route, another request"
    );
    assert_eq!(
        keyed.at(second.address).send("POST", &rotate, None).await?.body,
        rotated.body
    );

    // The first replica was the clerk: what it decided is known to its successor.
    world.replica.stop().await?;
    let later = keyed.at(second.address).post(ENDPOINTS, &body).await?;
    assert_eq!((later.status, &later.body), (201, &first.body));
    assert_eq!(
        keyed.at(second.address).send("POST", &rotate, None).await?.body,
        rotated.body
    );
    let listed = world.client.at(second.address).get(ENDPOINTS).await?.expect(200);
    assert_eq!(listed["endpoints"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["endpoints"][0]["version"], 2);
    second.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_6_a_repeat_by_a_key_of_other_scopes_is_not_answered_the_secret() -> Result<()> {
    let world = World::start().await?;
    let body = json!({"url": "https://example.com", "eventTypeFilters": ["*"]});
    let mighty = world.client_with(&["webhooks", "vault"]).await?;
    let made = mighty.with("idempotency-key", "k").post(ENDPOINTS, &body).await?;
    let poor = world.client_with(&["webhooks"]).await?;
    let other = poor.with("idempotency-key", "k").post(ENDPOINTS, &body).await?;
    assert_ne!(other.expect(201)["endpoint"]["id"], made.expect(201)["endpoint"]["id"]);
    let equal = world.client_with(&["vault", "webhooks"]).await?;
    let same = equal.with("idempotency-key", "k").post(ENDPOINTS, &body).await?;
    assert_eq!(
        same.body, made.body,
        "a new key of the same scopes repeats what the old one began"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_race_get_one_answer() -> Result<()> {
    let world = World::start().await?;
    let second = world.another().await?;
    let keyed = world.client.with("idempotency-key", "race");
    let racing = (0..8).map(|n| {
        let client = keyed.at(if n % 2 == 0 {
            world.replica.address
        } else {
            second.address
        });
        let body = json!({"url": "https://example.com", "eventTypeFilters": ["*"]});
        tokio::spawn(async move { client.post(ENDPOINTS, &body).await })
    });
    let mut bodies = Vec::new();
    for raced in racing.collect::<Vec<_>>() {
        let answer = raced.await??;
        answer.expect(201);
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    second.stop().await?;
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_belong_to_a_tenant_and_refusals_are_repeated_too() -> Result<()> {
    let world = World::start().await?;
    let stranger = world.stranger().await?.with("idempotency-key", "same");
    let keyed = world.client.with("idempotency-key", "same");
    let body = json!({"url": "https://example.com", "eventTypeFilters": ["*"]});
    let (mine, theirs) = (
        keyed.post(ENDPOINTS, &body).await?,
        stranger.post(ENDPOINTS, &body).await?,
    );
    assert_ne!(mine.expect(201)["signingSecret"], theirs.expect(201)["signingSecret"]);

    let mut tenant = world.tenant.clone();
    tenant.quotas.endpoints = 1;
    world.replica.writer.put(tenant.into(), Some(1)).await?;
    let refused = world.client.with("idempotency-key", "refused");
    refused.post(ENDPOINTS, &body).await?.expect_error(409, "CONFLICT");
    world.replica.writer.put(world.tenant.clone().into(), Some(2)).await?;
    let again = refused.post(ENDPOINTS, &body).await?;
    again.expect_error(409, "CONFLICT");
    assert!(
        again.body.contains("endpoints already"),
        "the answer is the first one's: {again:?}"
    );
    assert_eq!(mine.body, keyed.post(ENDPOINTS, &body).await?.body);
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_not_stale_by_what_it_did_itself() -> Result<()> {
    let world = World::start().await?;
    let body = json!({"url": "https://example.com", "eventTypeFilters": ["*"]});
    let made = world.client.post(ENDPOINTS, &body).await?.expect(201);
    let rotate = format!(
        "{ENDPOINTS}/{}/rotate_secret",
        made["endpoint"]["id"].as_str().expect("an id")
    );
    let seen = world.client.with("if-match", "\"1\"");
    let keyed = seen.with("idempotency-key", "rotate");
    let first = keyed.send("POST", &rotate, None).await?;
    first.expect(200);
    assert_eq!(keyed.send("POST", &rotate, None).await?.body, first.body);
    let other = seen.with("idempotency-key", "another");
    other
        .send("POST", &rotate, None)
        .await?
        .expect_error(412, "PRECONDITION_FAILED");
    seen.send("POST", &rotate, None)
        .await?
        .expect_error(412, "PRECONDITION_FAILED");
    world.replica.stop().await
}
