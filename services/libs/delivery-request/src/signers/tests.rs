//! Signatures during rotations: of every old secret until its own expiry, all of them or none.

use super::*;
use ledger::{entities, make_signing_key, rotate_secret, seal_signing_secret};
use signing::{PublicKey, verify, verify_v1a};

const DAY_MS: i64 = 86_400_000;

fn keyring() -> Keyring {
    Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid")
}

fn endpoint(scheme: &str, keyring: &Keyring, secret: &SigningSecret) -> Endpoint {
    let mut endpoint = entities::new_endpoint("org_1", "https://example.com", vec!["*".into()], 1);
    endpoint.signature_scheme = scheme.into();
    if scheme != "v1" {
        make_signing_key(&mut endpoint, keyring);
    }
    seal_signing_secret(&mut endpoint, keyring, &secret.expose());
    endpoint
}

fn rotated(endpoint: &Endpoint, keyring: &Keyring, secret: &SigningSecret, expires_at_ms: i64) -> Endpoint {
    rotate_secret(endpoint, keyring, &secret.expose(), Some(expires_at_ms), 0).expect("it opens")
}

fn public(endpoint: &Endpoint) -> PublicKey {
    PublicKey::parse(endpoint.public_key.as_deref().expect("it has a pair")).expect("a public key")
}

/// The signatures of a request at this time; None: it isn't sent.
fn header(signers: &Signers, now_ms: i64) -> Option<String> {
    let header = signers.sign("dlv_1", b"{}", now_ms);
    let can_sign = signers.signs_from_ms().is_some_and(|from_ms| from_ms <= now_ms);
    assert_eq!(header.is_some(), can_sign, "what is said beforehand is so");
    header
}

#[test]
fn after_two_rotations_three_pairs_sign_each_until_its_own_expiry() {
    let keyring = keyring();
    let secrets = [(); 3].map(|()| SigningSecret::generate());
    let first = endpoint("both", &keyring, &secrets[0]);
    let second = rotated(&first, &keyring, &secrets[1], 2 * DAY_MS);
    let third = rotated(&second, &keyring, &secrets[2], DAY_MS);
    let keys = [&first, &second, &third].map(public);
    let signers = Signers::new(&third, &keyring);
    assert_eq!(signers.signs_from_ms(), Some(i64::MIN));
    for (now_ms, expected) in [
        (DAY_MS - 1, [true, true, true]),
        (DAY_MS, [true, false, true]),
        (2 * DAY_MS, [false, false, true]),
    ] {
        let header = header(&signers, now_ms).expect("all can be used");
        let (at_s, now_s) = ((now_ms / 1000).to_string(), now_ms / 1000);
        let by_secret = [0, 1, 2].map(|n| verify("dlv_1", &at_s, &header, b"{}", &[&secrets[n]], now_s, 0).is_ok());
        let by_key = [0, 1, 2].map(|n| verify_v1a("dlv_1", &at_s, &header, b"{}", &[keys[n]], now_s, 0).is_ok());
        assert_eq!((by_secret, by_key), (expected, expected), "at {now_ms}");
        let valid = expected.iter().filter(|valid| **valid).count();
        assert_eq!(header.split(' ').count(), 2 * valid, "at {now_ms}");
    }
}

#[test]
fn with_an_old_secret_that_cannot_be_read_nothing_is_signed_until_it_expires() {
    let (keyring, strange) = (keyring(), keyring());
    let secrets = [(); 3].map(|()| SigningSecret::generate());
    let mut first = endpoint("v1", &strange, &secrets[0]);
    first = rotated(&first, &strange, &secrets[1], DAY_MS);
    seal_signing_secret(&mut first, &keyring, &secrets[1].expose());
    let signers = Signers::new(&first, &keyring);
    assert_eq!(signers.signs_from_ms(), Some(DAY_MS));
    assert_eq!(header(&signers, DAY_MS - 1), None);
    assert!(header(&signers, DAY_MS).is_some(), "it doesn't matter any more");

    let mut second = rotated(&first, &keyring, &secrets[2], 2 * DAY_MS);
    let signers = Signers::new(&second, &keyring);
    assert_eq!(header(&signers, DAY_MS - 1), None, "it is a former one now");
    let two = header(&signers, DAY_MS).expect("the rest can be used");
    assert_eq!(two.split(' ').count(), 2);

    second.signing_secret = second.former_secrets[0].secret.clone();
    assert_eq!(Signers::new(&second, &keyring).signs_from_ms(), None);
}

#[test]
fn an_old_secret_that_is_none_holds_up_like_one_that_cannot_be_read() {
    let keyring = keyring();
    let secret = SigningSecret::generate();
    let mut endpoint = endpoint("v1", &keyring, &secret);
    seal_signing_secret(&mut endpoint, &keyring, "whsec_short");
    let endpoint = rotated(&endpoint, &keyring, &secret, DAY_MS);
    let signers = Signers::new(&endpoint, &keyring);
    assert_eq!(header(&signers, DAY_MS - 1), None);
    assert!(header(&signers, DAY_MS).is_some());
}

#[test]
fn an_old_key_pair_that_cannot_be_read_matters_to_a_scheme_that_asks_for_it() {
    let (keyring, strange) = (keyring(), keyring());
    let secret = SigningSecret::generate();
    for (scheme, from_ms) in [("v1", i64::MIN), ("v1a", DAY_MS), ("both", DAY_MS)] {
        let mut endpoint = rotated(&endpoint(scheme, &keyring, &secret), &keyring, &secret, DAY_MS);
        assert_eq!(Signers::new(&endpoint, &keyring).signs_from_ms(), Some(i64::MIN));
        let sealed = strange.seal(b"whsk_x", &endpoint.tenant, &endpoint.id, "previous_signing_key");
        endpoint.previous_signing_key = Some(sealed);
        let signers = Signers::new(&endpoint, &keyring);
        assert_eq!(signers.signs_from_ms(), Some(from_ms), "{scheme}");
        assert_eq!(header(&signers, DAY_MS - 1).is_some(), scheme == "v1", "{scheme}");
        endpoint.previous_signing_key = None;
        let signers = Signers::new(&endpoint, &keyring);
        assert_eq!(signers.signs_from_ms(), Some(i64::MIN), "{scheme}: it never had one");
    }
}
