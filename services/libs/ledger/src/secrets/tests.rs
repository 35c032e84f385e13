//! Rotation and sealing again, without Kafka.

use super::*;
use crate::entities::new_endpoint;

fn sealed(keyring: &Keyring) -> Endpoint {
    let mut endpoint = new_endpoint("org_a", "https://example.com", vec!["*".into()], 1);
    seal_signing_secret(&mut endpoint, keyring, "whsec_old");
    seal_header(&mut endpoint, keyring, "X-Token", "hush");
    endpoint
}

/// An old key's keyring, that of a new key which still has the old one, and that of the new key alone.
fn keyrings() -> (Keyring, Keyring, Keyring) {
    let (old_key, new_key) = (Keyring::generate_key(), Keyring::generate_key());
    let keyring = |key: &str, previous: &[String]| Keyring::new(key, previous).expect("a generated key is valid");
    let (old, alone) = (keyring(&old_key, &[]), keyring(&new_key, &[]));
    (old, keyring(&new_key, &[old_key]), alone)
}

#[test]
fn after_rotation_both_secrets_sign_until_the_old_one_expires() {
    let keyring = Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid");
    let rotated = rotate_secret(&sealed(&keyring), &keyring, "whsec_new", Some(100), 0).expect("the old secret opens");
    assert_eq!(
        open_signing_secrets(&rotated, &keyring, 99).expect("both open"),
        ["whsec_new", "whsec_old"]
    );
    assert_eq!(
        open_signing_secrets(&rotated, &keyring, 100).expect("it opens"),
        ["whsec_new"]
    );
    let at_once = rotate_secret(&rotated, &keyring, "whsec_3", None, 0).expect("the old secret opens");
    assert_eq!(
        open_signing_secrets(&at_once, &keyring, 0).expect("it opens"),
        ["whsec_3"]
    );
    assert_eq!(at_once.previous_signing_secret, None);
}

#[test]
fn everything_is_sealed_again_with_the_current_key_once() {
    let (old, ring, alone) = keyrings();
    let endpoint = rotate_secret(&sealed(&old), &old, "whsec_new", Some(100), 0).expect("the old secret opens");
    let again = resealed(&endpoint, &ring, 3)
        .expect("everything opens")
        .expect("everything changes");
    assert_eq!(
        open_signing_secrets(&again, &alone, 0).expect("both open"),
        ["whsec_new", "whsec_old"]
    );
    assert_eq!(open_headers(&again, &alone).expect("it opens")["x-token"], "hush");
    assert_eq!(resealed(&again, &ring, 3), Ok(None));
}

#[test]
fn a_key_pair_rotates_with_the_secret_and_is_sealed_with_it() {
    let (old, ring, alone) = keyrings();
    let mut endpoint = sealed(&old);
    assert_eq!(
        open_signing_keys(&endpoint, &old, 0),
        Ok(vec![]),
        "none before it is asked for"
    );
    make_signing_key(&mut endpoint, &old);
    let made = endpoint.clone();
    make_signing_key(&mut endpoint, &old);
    assert_eq!(endpoint, made, "there is one already");

    let rotated = rotate_secret(&endpoint, &old, "whsec_new", Some(100), 0).expect("everything opens");
    let again = resealed(&rotated, &ring, 3)
        .expect("everything opens")
        .expect("it changes");
    let keys = open_signing_keys(&again, &alone, 99).expect("both open");
    let public = |text: &String| Some(SigningKey::parse(text).expect("a key").public_key().to_string());
    assert_eq!(
        keys.iter().map(public).collect::<Vec<_>>(),
        [again.public_key.clone(), made.public_key.clone()]
    );
    assert_ne!(again.public_key, made.public_key);
    assert_eq!(open_signing_keys(&again, &alone, 100), Ok(keys[..1].to_vec()));

    let at_once = rotate_secret(&again, &alone, "whsec_3", None, 0).expect("it opens");
    assert_eq!(at_once.previous_signing_key, None);
    assert_eq!(open_signing_keys(&at_once, &alone, 0).map(|keys| keys.len()), Ok(1));
}

/// The same endpoint after as many more rotations, one a millisecond from 0 on; each secret signs for 100 ms more.
fn rotated(mut endpoint: Endpoint, keyring: &Keyring, times: i64) -> Endpoint {
    for now_ms in 0..times {
        let secret = format!("whsec_{now_ms}");
        let rotated = rotate_secret(&endpoint, keyring, &secret, Some(now_ms + 100), now_ms);
        endpoint = rotated.expect("there is room, and everything opens");
    }
    endpoint
}

#[test]
fn a_second_rotation_leaves_each_old_secret_its_own_expiry() {
    let keyring = Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid");
    let mut endpoint = sealed(&keyring);
    make_signing_key(&mut endpoint, &keyring);
    let rotated = rotated(endpoint, &keyring, 2);
    for (now_ms, expected) in [
        (99, &["whsec_1", "whsec_0", "whsec_old"][..]),
        (100, &["whsec_1", "whsec_0"][..]),
        (101, &["whsec_1"][..]),
    ] {
        let secrets = open_signing_secrets(&rotated, &keyring, now_ms).expect("all open");
        assert_eq!(secrets, expected, "at {now_ms}");
        let keys = open_signing_keys(&rotated, &keyring, now_ms).expect("all open");
        assert_eq!(keys.len(), expected.len(), "at {now_ms}");
    }
    assert_eq!(old_secrets_expire_at_ms(&rotated, 99), Some(101));
    assert_eq!(old_secrets_expire_at_ms(&rotated, 101), None);

    let later = rotate_secret(&rotated, &keyring, "whsec_2", Some(200), 100).expect("everything opens");
    assert_eq!(later.former_secrets.len(), 1, "what has expired isn't kept");
    let at_once = rotate_secret(&rotated, &keyring, "whsec_2", None, 2).expect("everything opens");
    assert_eq!(
        open_signing_secrets(&at_once, &keyring, 2).expect("it opens"),
        ["whsec_2"]
    );
    assert!(at_once.former_secrets.is_empty() && old_secrets(&at_once).next().is_none());
}

#[test]
fn with_eight_old_secrets_valid_a_ninth_rotation_is_refused_until_one_expires_or_all_are_ended() {
    let keyring = Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid");
    let full = rotated(sealed(&keyring), &keyring, 8);
    assert_eq!(
        open_signing_secrets(&full, &keyring, 99).map(|secrets| secrets.len()),
        Ok(9)
    );
    let again = |expires_at_ms, now_ms| rotate_secret(&full, &keyring, "whsec_9", expires_at_ms, now_ms);
    assert_eq!(
        again(Some(199), 99),
        Err(RotateError::TooManyOld { free_at_ms: 100 }),
        "the first of them expires then"
    );
    let next = again(Some(200), 100).expect("one has expired");
    assert_eq!(
        open_signing_secrets(&next, &keyring, 100).map(|secrets| secrets.len()),
        Ok(9)
    );
    let at_once = again(None, 99).expect("all are ended");
    assert_eq!(
        open_signing_secrets(&at_once, &keyring, 99).expect("it opens"),
        ["whsec_9"]
    );
}

#[test]
fn former_secrets_and_their_key_pairs_are_sealed_again_too() {
    let (old, ring, alone) = keyrings();
    let mut endpoint = sealed(&old);
    make_signing_key(&mut endpoint, &old);
    let endpoint = rotated(endpoint, &old, 3);
    let again = resealed(&endpoint, &ring, 3)
        .expect("everything opens")
        .expect("everything changes");
    assert_eq!(
        open_signing_secrets(&again, &alone, 3).expect("all open"),
        ["whsec_2", "whsec_1", "whsec_0", "whsec_old"]
    );
    assert_eq!(
        open_signing_keys(&again, &alone, 3),
        open_signing_keys(&endpoint, &old, 3)
    );
    assert_eq!(resealed(&again, &ring, 3), Ok(None));

    let mut one_left = again;
    one_left.former_secrets[1].key = endpoint.former_secrets[1].key.clone();
    assert!(
        matches!(resealed(&one_left, &ring, 3), Ok(Some(_))),
        "one alone is found"
    );
}
