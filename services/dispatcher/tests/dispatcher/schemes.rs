//! Requests signed with an endpoint's key pair, alone and beside its secret; and never signed in part.

use crate::{
    receiver::{Hit, Receiver},
    setup::World,
};
use ledger::{Keyring, make_signing_key, rotate_secret, seal_signing_secret};
use runtime::clock::now_ms;
use schemas::Endpoint;
use signing::{PublicKey, SigningSecret, verify, verify_v1a};

const TOLERANCE_S: i64 = 300;

fn header<'a>(hit: &'a Hit, name: &str) -> &'a str {
    hit.header(name).expect("a delivery has it")
}

/// Which of the two verifications the request passes.
fn passes(hit: &Hit, secret: &str, endpoint: &Endpoint) -> (bool, bool) {
    let (id, at, signatures) = (
        header(hit, "webhook-id"),
        header(hit, "webhook-timestamp"),
        header(hit, "webhook-signature"),
    );
    let secret = SigningSecret::parse(secret).expect("a secret");
    let public = endpoint.public_key.as_deref().expect("it has a key pair");
    let public = PublicKey::parse(public).expect("a public key");
    let now_s = now_ms() / 1000;
    (
        verify(id, at, signatures, &hit.body, &[&secret], now_s, TOLERANCE_S).is_ok(),
        verify_v1a(id, at, signatures, &hit.body, &[public], now_s, TOLERANCE_S).is_ok(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn each_scheme_carries_what_it_says_and_a_rotation_carries_both_pairs() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let instance = world.instance().await;
    for (scheme, expected) in [("v1", (true, false)), ("v1a", (false, true)), ("both", (true, true))] {
        let secret = SigningSecret::generate().expose();
        let path = format!("/{scheme}");
        let endpoint = world
            .endpoint(receiver.url(&path), |e| {
                seal_signing_secret(e, &world.keyring, &secret);
                make_signing_key(e, &world.keyring);
                e.signature_scheme = scheme.into();
            })
            .await;
        world.publish(&world.deliveries(&endpoint, 1)).await;
        let hit = receiver.until(&path, 1).await.remove(0);
        assert_eq!(passes(&hit, &secret, &endpoint), expected, "{scheme}");

        let new = SigningSecret::generate().expose();
        let until_ms = Some(now_ms() + 3_600_000);
        let rotated = rotate_secret(&endpoint, &world.keyring, &new, until_ms, now_ms()).expect("it opens");
        let rotated = world.put(&rotated).await;
        assert_ne!(rotated.public_key, endpoint.public_key);
        world.publish(&world.deliveries(&rotated, 1)).await;
        let hit = receiver.until(&path, 2).await.remove(1);
        assert_eq!(passes(&hit, &secret, &endpoint), expected, "{scheme}, old");
        assert_eq!(passes(&hit, &new, &rotated), expected, "{scheme}, new");
    }
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_key_pair_a_request_is_not_sent_signed_in_part() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let retries = world.retries().await;
    let strange = Keyring::new(&Keyring::generate_key(), &[]).expect("a key");
    let endpoint = world
        .endpoint(receiver.url("/"), |e| {
            make_signing_key(e, &strange);
            e.signature_scheme = "both".into();
        })
        .await;
    world.publish(&world.deliveries(&endpoint, 1)).await;
    let instance = world.instance().await;
    let deferred = retries.one(|_| true).await.record;
    assert_eq!((deferred.cause.as_str(), deferred.attempts_made), ("deferral", 0));
    assert!(receiver.hits("/").is_empty());
    instance.end().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_old_secret_that_cannot_be_read_a_request_is_sent_once_that_has_expired() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let strange = Keyring::new(&Keyring::generate_key(), &[]).expect("a key");
    let new = SigningSecret::generate().expose();
    let marker = world.endpoint(receiver.url("/marker"), |_| ()).await;
    world.publish(&world.deliveries(&marker, 1)).await;
    let instance = world.instance().await;
    receiver.until("/marker", 1).await;
    let expires_at_ms = now_ms() + 3_000;
    let endpoint = world
        .endpoint(receiver.url("/"), |e| {
            e.placement = "dedicated".into();
            seal_signing_secret(e, &strange, &SigningSecret::generate().expose());
            *e = rotate_secret(e, &strange, &new, Some(expires_at_ms), now_ms()).expect("it opens");
            seal_signing_secret(e, &world.keyring, &new);
        })
        .await;
    world.publish(&world.deliveries(&endpoint, 1)).await;
    let hit = receiver.until("/", 1).await.remove(0);
    let sent_s: i64 = header(&hit, "webhook-timestamp").parse().expect("Unix seconds");
    assert!(sent_s >= expires_at_ms / 1000, "{sent_s} is before {expires_at_ms}");
    assert_eq!(header(&hit, "webhook-attempt"), "1", "it was not tried before");
    assert_eq!(header(&hit, "webhook-signature").split(' ').count(), 1);
    instance.end().await;
    world.end().await;
}
