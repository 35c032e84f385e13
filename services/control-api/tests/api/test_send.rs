//! `POST /webhooks/v1/endpoints/{id}/test`: one signed request to a real receiver, through the egress guard.

use crate::support::World;
use anyhow::{Context, Result};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use ledger::{Entity, entities, seal_signing_secret};
use parking_lot::Mutex;
use serde_json::{Value, json};
use signing::{PublicKey, SigningSecret};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};

const ENDPOINTS: &str = "/webhooks/v1/endpoints";

/// Answers 418 with what it got, once a permit is there.
#[derive(Clone)]
struct Receiver {
    hits: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    gate: Arc<Semaphore>,
    status: StatusCode,
}

impl Receiver {
    /// And its URL.
    async fn start(status: StatusCode) -> Result<(Self, String)> {
        let receiver = Self {
            hits: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            status,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/hook?token=1", listener.local_addr()?);
        let answering = Router::new().fallback(answer).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, answering).await });
        Ok((receiver, url))
    }
}

async fn answer(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    receiver.hits.lock().push((headers, body));
    let _permit = receiver.gate.acquire().await;
    (receiver.status, [("x-said", "so")], "é".repeat(4000))
}

/// An installation that may send to this machine.
async fn world() -> Result<World> {
    World::start_with(|options| {
        options.egress.policy.allow_http = true;
        options.egress.policy.allow_networks = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await
}

async fn make(world: &World, body: &Value) -> Result<(String, Value)> {
    let made = world.client.post(ENDPOINTS, body).await?.expect(201);
    let id = made["endpoint"]["id"].as_str().context("an id")?;
    Ok((format!("{ENDPOINTS}/{id}"), made))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_signed_and_shaped_as_a_delivery_is() -> Result<()> {
    let world = world().await?;
    let (receiver, url) = Receiver::start(StatusCode::ACCEPTED).await?;
    let body = json!({"url": url, "eventTypeFilters": ["*"], "signatureScheme": "both", "headers": {"x-own": "mine"}});
    let (path, made) = make(&world, &body).await?;
    let old = SigningSecret::parse(made["signingSecret"].as_str().context("a secret")?)?;
    let rotated = world
        .client
        .send("POST", &format!("{path}/rotate_secret"), None)
        .await?
        .expect(200);
    let new = SigningSecret::parse(rotated["signingSecret"].as_str().context("a secret")?)?;

    let result = world
        .client
        .send("POST", &format!("{path}/test"), None)
        .await?
        .expect(200);
    assert_eq!(
        (&result["ok"], &result["statusCode"], &result["error"]),
        (&json!(true), &json!(202), &json!(null))
    );
    assert_eq!(result["responseHeaders"]["x-said"], "so");
    let answered = result["responseBody"].as_str().context("a body")?;
    assert_eq!((answered.len(), answered.starts_with("éé")), (4096, true));
    let (headers, sent) = receiver.hits.lock().pop().context("a request")?;
    let parsed: Value = serde_json::from_slice(&sent)?;
    assert_eq!(
        (&parsed["type"], &parsed["data"]["endpointId"]),
        (&json!("webhook.test"), &made["endpoint"]["id"])
    );
    assert_eq!(
        (text(&headers, "webhook-event-id"), text(&headers, "webhook-attempt")),
        (parsed["id"].as_str().context("an id")?, "1")
    );
    assert_eq!(
        (text(&headers, "content-type"), text(&headers, "x-own")),
        ("application/json", "mine")
    );
    assert!(text(&headers, "user-agent").starts_with("Hookline/") && text(&headers, "traceparent").len() == 55);
    let (id, at, signature) = (
        text(&headers, "webhook-id"),
        text(&headers, "webhook-timestamp"),
        text(&headers, "webhook-signature"),
    );
    assert_eq!(result["webhookId"], id);
    let now_s = runtime::clock::now_ms() / 1000;
    for secret in [&old, &new] {
        signing::verify(id, at, signature, &sent, &[secret], now_s, 300)?;
    }
    let public = PublicKey::parse(rotated["endpoint"]["publicKey"].as_str().context("a public key")?)?;
    signing::verify_v1a(id, at, signature, &sent, &[public], now_s, 300)?;
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyed_test_is_sent_once_and_answered_the_same_by_another_replica() -> Result<()> {
    let world = world().await?;
    let second = world.another().await?;
    let (receiver, url) = Receiver::start(StatusCode::OK).await?;
    let (path, _) = make(&world, &json!({"url": url, "eventTypeFilters": ["*"]})).await?;
    let (path, body) = (format!("{path}/test"), json!({"payload": 1}));
    let keyed = world.client.with("idempotency-key", "test-1");
    let first = keyed.post(&path, &body).await?;
    first.expect(200);
    let again = keyed.at(second.address).post(&path, &body).await?;
    assert_eq!((again.status, &again.body), (200, &first.body));
    let other = keyed.post(&path, &json!({"payload": 2})).await?;
    other.expect_error(409, "CONFLICT");
    assert_eq!(receiver.hits.lock().len(), 1);
    world.client.post(&path, &body).await?.expect(200);
    assert_eq!(receiver.hits.lock().len(), 2, "without a key it is another test");
    second.stop().await?;
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_payload_travels_byte_for_byte_whatever_the_endpoints_status() -> Result<()> {
    let world = world().await?;
    let mut tenant = world.tenant.clone();
    tenant.header_prefix = Some("case-webhook-".into());
    world.replica.writer.put(Entity::from(tenant), Some(1)).await?;
    let (receiver, url) = Receiver::start(StatusCode::SERVICE_UNAVAILABLE).await?;
    let (path, _) = make(
        &world,
        &json!({"url": url, "eventTypeFilters": ["*"], "envelope": "event_payload"}),
    )
    .await?;
    let test = format!("{path}/test");
    let body = r#"{"eventType":"vault.ingest.completed","payload":{"b":1.0, "a":"\u00e9"}}"#;
    for status in ["paused", "disabled"] {
        world.client.patch(&path, &json!({"status": status})).await?.expect(200);
        let result = world
            .client
            .send("POST", &test, Some(body.to_owned()))
            .await?
            .expect(200);
        assert_eq!((&result["ok"], &result["statusCode"]), (&json!(false), &json!(503)));
        assert_eq!(result["error"], "the receiver answered 503");
        let (headers, sent) = receiver.hits.lock().pop().context("a request")?;
        assert_eq!(
            sent,
            r#"{"event_type":"vault.ingest.completed","payload":{"b":1.0, "a":"\u00e9"}}"#
        );
        assert!(
            headers.contains_key("case-webhook-signature") && !headers.contains_key("webhook-id"),
            "{headers:?}"
        );
    }
    assert!(receiver.hits.lock().is_empty(), "no retry");
    let endpoint = world.client.get(&path).await?.expect(200);
    assert_eq!(
        endpoint["endpoint"]["consecutiveFailureCount"], 0,
        "it says nothing of the endpoint"
    );
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_goes_nowhere_that_a_delivery_may_not_invariant_4() -> Result<()> {
    let world = World::start().await?;
    let (receiver, url) = Receiver::start(StatusCode::OK).await?;
    // As it may stand in the ledger since the policy was another.
    let mut endpoint = entities::new_endpoint(&world.tenant.id, &url.replace("http:", "https:"), vec!["*".into()], 1);
    seal_signing_secret(&mut endpoint, &world.keyring, &SigningSecret::generate().expose());
    let path = format!("{ENDPOINTS}/{}/test", endpoint.id);
    world.replica.writer.put(Entity::from(endpoint), Some(0)).await?;
    let result = world.client.send("POST", &path, None).await?.expect(200);
    assert_eq!(
        (&result["ok"], &result["statusCode"], &result["responseBody"]),
        (&json!(false), &json!(null), &json!(""))
    );
    let error = result["error"].as_str().context("an error")?;
    assert!(!error.is_empty() && !error.contains("token"), "{error}");
    assert!(receiver.hits.lock().is_empty());
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_change_an_endpoint_may_test_it() -> Result<()> {
    let world = world().await?;
    let (receiver, url) = Receiver::start(StatusCode::OK).await?;
    let some = world.client_with(&["webhooks", "vault"]).await?;
    let made = some
        .post(ENDPOINTS, &json!({"url": url, "eventTypeFilters": ["*"]}))
        .await?
        .expect(201);
    let path = format!("{ENDPOINTS}/{}/test", made["endpoint"]["id"].as_str().context("an id")?);
    let body = json!({"eventType": "vault.ingest.completed"});
    some.post(&path, &body).await?.expect(200);
    receiver.hits.lock().clear();
    some.post(&path, &json!({"eventType": "ocr.job.completed"}))
        .await?
        .expect_error(403, "PERMISSION_DENIED");
    for (client, status, code) in [
        (world.client_with(&["webhooks"]).await?, 403, "PERMISSION_DENIED"),
        (world.client_with(&["vault"]).await?, 403, "PERMISSION_DENIED"),
        (world.stranger().await?, 404, "NOT_FOUND"),
        (world.operator(), 400, "INVALID_REQUEST"),
    ] {
        client.post(&path, &body).await?.expect_error(status, code);
    }
    for (body, field) in [
        (json!({"eventType": "no.such"}), "eventType"),
        (json!({"eventType": "*"}), "eventType"),
        (json!({"eventType": null}), "eventType"),
        (json!({"payload": "x".repeat(300 << 10)}), "payload"),
        (json!({"type": "webhook.test"}), "type"),
    ] {
        let refused = some.post(&path, &body).await?;
        assert_eq!(refused.expect_error(400, "INVALID_REQUEST"), field);
    }
    assert!(receiver.hits.lock().is_empty());
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn tests_under_way_are_few() -> Result<()> {
    let world = world().await?;
    let (receiver, url) = Receiver::start(StatusCode::OK).await?;
    let (path, _) = make(&world, &json!({"url": url, "eventTypeFilters": ["*"]})).await?;
    let test = format!("{path}/test");
    let all = receiver.gate.forget_permits(Semaphore::MAX_PERMITS);
    let under_way: Vec<_> = (0..2)
        .map(|_| {
            let (client, test) = (world.client.clone(), test.clone());
            tokio::spawn(async move { client.send("POST", &test, None).await })
        })
        .collect();
    while receiver.hits.lock().len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = world.client.send("POST", &test, None).await?;
    refused.expect_error(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(refused.header("retry-after"), "1");
    receiver.gate.add_permits(all.min(1000));
    for one in under_way {
        one.await??.expect(200);
    }
    world.client.send("POST", &test, None).await?.expect(200);
    world.replica.stop().await
}
