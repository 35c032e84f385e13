//! What a receiver gets: body, headers, signatures; and what is written down and committed then.

use crate::{
    receiver::{Answer, Hit, Receiver},
    setup::World,
};
use ledger::{rotate_secret, seal_header, seal_signing_secret};
use runtime::clock::now_ms;
use schemas::AttemptResult;
use signing::SigningSecret;

/// Whether the `standardwebhooks` crate takes the request for one that was signed with this secret.
fn verifies(hit: &Hit, prefix: &str, secret: &str) -> bool {
    let mut headers = axum::http::HeaderMap::new();
    for name in ["id", "timestamp", "signature"] {
        let value = hit
            .headers
            .get(format!("{prefix}{name}"))
            .expect("the header is there")
            .clone();
        headers.insert(
            axum::http::HeaderName::from_bytes(format!("webhook-{name}").as_bytes()).expect("a name"),
            value,
        );
    }
    let receiver = standardwebhooks::Webhook::new(secret).expect("a secret");
    receiver.verify(&hit.body, &headers).is_ok()
}

fn signatures(hit: &Hit, name: &str) -> usize {
    hit.header(name).expect("it is signed").split(' ').count()
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_and_dedicated_topics_are_delivered_byte_for_byte_logged_and_committed() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let secret = SigningSecret::generate().expose();
    let shared = world
        .endpoint(receiver.url("/shared"), |e| {
            seal_signing_secret(e, &world.keyring, &secret);
        })
        .await;
    let dedicated = world
        .endpoint(receiver.url("/dedicated"), |e| e.placement = "dedicated".into())
        .await;
    assert!(dedicated.dedicated_topic.is_some() && shared.dedicated_topic.is_none());
    let log = world.log().await;
    let body = b"{ \"n\" : 1.50, \"z\":1, \"a\":\"\xc3\xa4\" }\n".to_vec();
    let mut first = world.delivery(&shared);
    first.body.clone_from(&body);
    first.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into());
    let second = world.delivery(&dedicated);
    world.publish(&[first.clone(), second.clone()]).await;
    let instance = world.instance().await;

    let hit = receiver.until("/shared", 1).await.remove(0);
    assert_eq!(hit.body, body);
    assert!(verifies(&hit, "webhook-", &secret));
    assert_eq!(signatures(&hit, "webhook-signature"), 1);
    assert_eq!(hit.header("webhook-id"), Some(first.delivery_id.as_str()));
    assert_eq!(hit.header("webhook-event-id"), Some(first.event_id.as_str()));
    assert_eq!(hit.header("webhook-attempt"), Some("1"));
    assert_eq!(hit.header("webhook-replay"), None);
    assert_eq!(hit.header("content-type"), Some("application/json"));
    assert_eq!(
        hit.header("user-agent"),
        Some(concat!("Hookline/", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(hit.header("traceparent"), first.traceparent.as_deref());
    let sent_s: i64 = hit
        .header("webhook-timestamp")
        .and_then(|t| t.parse().ok())
        .expect("Unix seconds");
    assert!((sent_s - now_ms() / 1000).abs() < 60);
    assert_eq!(receiver.until("/dedicated", 1).await[0].body, second.body);

    for delivery in [&first, &second] {
        let logged = log.one(|r| r.event_id == delivery.event_id).await.record;
        let attempt = logged.attempt.expect("an attempt");
        assert_eq!(attempt.delivery_id, delivery.delivery_id);
        assert_eq!(
            (attempt.result, attempt.number, attempt.status_code),
            (AttemptResult::Delivered, 1, Some(200))
        );
        assert_eq!(
            (attempt.trigger.as_str(), attempt.error, attempt.reason),
            ("event", None, None)
        );
    }
    world.until_committed(&shared, 1).await;
    world.until_committed(&dedicated, 1).await;
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn own_headers_come_along_but_never_over_ours() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let tenant = world.tenant(|t| t.header_prefix = Some("case-webhook-".into())).await;
    let secret = SigningSecret::generate().expose();
    let endpoint = world
        .endpoint(receiver.url("/"), |e| {
            e.tenant.clone_from(&tenant.id);
            seal_signing_secret(e, &world.keyring, &secret);
            let own = [
                ("x-own", "mine"),
                ("content-type", "text/plain"),
                ("user-agent", "other/1"),
                ("case-webhook-id", "forged"),
                ("case-webhook-signature", "v1,forged"),
                ("case-webhook-replay", "true"),
                ("traceparent", "forged"),
                ("content-length", "3"),
                ("host", "elsewhere.example"),
            ];
            for (name, value) in own {
                seal_header(e, &world.keyring, name, value);
            }
        })
        .await;
    let mut replayed = world.delivery(&endpoint);
    replayed.generation = 1;
    replayed.attempts_made = 3;
    let delivery = world.delivery(&endpoint);
    world.publish(std::slice::from_ref(&delivery)).await;
    let instance = world.instance().await;
    let hit = receiver.until("/", 1).await.remove(0);
    assert_eq!(hit.header("x-own"), Some("mine"));
    assert_eq!(hit.header("content-type"), Some("application/json"));
    assert!(
        hit.header("user-agent")
            .is_some_and(|agent| agent.starts_with("Hookline/"))
    );
    assert_eq!(hit.header("case-webhook-id"), Some(delivery.delivery_id.as_str()));
    assert_eq!(
        (hit.header("case-webhook-replay"), hit.header("traceparent")),
        (None, None)
    );
    assert_eq!(hit.header("webhook-id"), None, "one prefix at a time");
    assert!(hit.header("host").is_some_and(|host| host.starts_with("127.0.0.1")));
    assert_eq!(hit.body, delivery.body);
    assert!(verifies(&hit, "case-webhook-", &secret));
    assert_eq!(hit.headers.get_all("case-webhook-signature").iter().count(), 1);

    world.give_back(&[replayed]).await;
    let hit = receiver.until("/", 2).await.remove(1);
    assert_eq!(hit.header("case-webhook-replay"), Some("true"));
    assert_eq!(hit.header("case-webhook-attempt"), Some("4"));
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_secrets_sign_during_a_rotation_and_one_after_it() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let (old, new) = (SigningSecret::generate().expose(), SigningSecret::generate().expose());
    let endpoint = world
        .endpoint(receiver.url("/"), |e| seal_signing_secret(e, &world.keyring, &old))
        .await;
    let rotated = |until_ms| {
        let rotated = rotate_secret(&endpoint, &world.keyring, &new, Some(until_ms), now_ms());
        rotated.expect("it opens")
    };
    world.put(&rotated(now_ms() + 3_600_000)).await;
    world.publish(&world.deliveries(&endpoint, 1)).await;
    let instance = world.instance().await;
    let hit = receiver.until("/", 1).await.remove(0);
    assert_eq!(signatures(&hit, "webhook-signature"), 2);
    assert!(verifies(&hit, "webhook-", &old) && verifies(&hit, "webhook-", &new));

    world.put(&rotated(now_ms() - 1)).await;
    world.publish(&world.deliveries(&endpoint, 1)).await;
    let hit = receiver.until("/", 2).await.remove(1);
    assert_eq!(signatures(&hit, "webhook-signature"), 1);
    assert!(verifies(&hit, "webhook-", &new) && !verifies(&hit, "webhook-", &old));
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_rotation_leaves_the_first_secret_signing() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let secrets = [(); 3].map(|()| SigningSecret::generate().expose());
    let mut endpoint = world
        .endpoint(receiver.url("/"), |e| {
            seal_signing_secret(e, &world.keyring, &secrets[0]);
        })
        .await;
    for secret in &secrets[1..] {
        let until_ms = Some(now_ms() + 3_600_000);
        endpoint = rotate_secret(&endpoint, &world.keyring, secret, until_ms, now_ms()).expect("it opens");
    }
    world.put(&endpoint).await;
    world.publish(&world.deliveries(&endpoint, 1)).await;
    let instance = world.instance().await;
    let hit = receiver.until("/", 1).await.remove(0);
    assert_eq!(signatures(&hit, "webhook-signature"), 3);
    assert!(secrets.iter().all(|secret| verifies(&hit, "webhook-", secret)));
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_2_nothing_is_committed_before_it_is_delivered() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let (answer, gate) = Answer::gated();
    receiver.answers("/slow", answer);
    let slow = world.endpoint(receiver.url("/slow"), |_| ()).await;
    let fast = world.endpoint(receiver.url("/fast"), |_| ()).await;
    world.publish(&world.deliveries(&slow, 1)).await;
    world.publish(&world.deliveries(&fast, 20)).await;
    let log = world.log().await;
    let instance = world.instance().await;
    receiver.until("/slow", 1).await;
    log.until(20, |r| r.attempt.as_ref().is_some_and(|a| a.endpoint_id == fast.id))
        .await;
    // The commit that says so is made beyond the one that is not done, in its metadata.
    let told = tokio::time::timeout(crate::receiver::PATIENCE, async {
        while world
            .committed(&fast)
            .await
            .1
            .rsplit('|')
            .next()
            .is_none_or(str::is_empty)
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    told.await.expect("what is done is committed in time");
    assert_eq!(world.committed(&slow).await.0, Some(0));
    gate.add_permits(1);
    world.until_committed(&slow, 21).await;
    instance.end().await;
    world.end().await;
}
