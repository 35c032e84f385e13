//! Rotation and sealing again, without Kafka.

use super::*;
use crate::entities::new_endpoint;

fn sealed(keyring: &Keyring) -> Endpoint {
    let mut endpoint = new_endpoint("org_a", "https://example.com", vec!["*".into()], 1);
    seal_signing_secret(&mut endpoint, keyring, "whsec_old");
    seal_header(&mut endpoint, keyring, "X-Token", "hush");
    endpoint
}

#[test]
fn after_rotation_both_secrets_sign_until_the_old_one_expires() {
    let keyring = Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid");
    let rotated = rotate_secret(&sealed(&keyring), &keyring, "whsec_new", Some(100)).expect("the old secret opens");
    assert_eq!(
        open_signing_secrets(&rotated, &keyring, 99).expect("both open"),
        ["whsec_new", "whsec_old"]
    );
    assert_eq!(
        open_signing_secrets(&rotated, &keyring, 100).expect("it opens"),
        ["whsec_new"]
    );
    let at_once = rotate_secret(&rotated, &keyring, "whsec_3", None).expect("the old secret opens");
    assert_eq!(
        open_signing_secrets(&at_once, &keyring, 0).expect("it opens"),
        ["whsec_3"]
    );
    assert_eq!(at_once.previous_signing_secret, None);
}

#[test]
fn everything_is_sealed_again_with_the_current_key_once() {
    let old_key = Keyring::generate_key();
    let old = Keyring::new(&old_key, &[]).expect("a generated key is valid");
    let endpoint = rotate_secret(&sealed(&old), &old, "whsec_new", Some(100)).expect("the old secret opens");
    let new_key = Keyring::generate_key();
    let ring = Keyring::new(&new_key, &[old_key]).expect("generated keys are valid");
    let again = resealed(&endpoint, &ring)
        .expect("everything opens")
        .expect("everything changes");
    let alone = Keyring::new(&new_key, &[]).expect("a generated key is valid");
    assert_eq!(
        open_signing_secrets(&again, &alone, 0).expect("both open"),
        ["whsec_new", "whsec_old"]
    );
    assert_eq!(open_headers(&again, &alone).expect("it opens")["x-token"], "hush");
    assert_eq!(resealed(&again, &ring), Ok(None));
}

#[test]
fn a_key_pair_rotates_with_the_secret_and_is_sealed_with_it() {
    let old_key = Keyring::generate_key();
    let old = Keyring::new(&old_key, &[]).expect("a generated key is valid");
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

    let rotated = rotate_secret(&endpoint, &old, "whsec_new", Some(100)).expect("everything opens");
    let new_key = Keyring::generate_key();
    let ring = Keyring::new(&new_key, &[old_key]).expect("generated keys are valid");
    let again = resealed(&rotated, &ring)
        .expect("everything opens")
        .expect("it changes");
    let alone = Keyring::new(&new_key, &[]).expect("a generated key is valid");
    let keys = open_signing_keys(&again, &alone, 99).expect("both open");
    let public = |text: &String| Some(SigningKey::parse(text).expect("a key").public_key().to_string());
    assert_eq!(
        keys.iter().map(public).collect::<Vec<_>>(),
        [again.public_key.clone(), made.public_key.clone()]
    );
    assert_ne!(again.public_key, made.public_key);
    assert_eq!(open_signing_keys(&again, &alone, 100), Ok(keys[..1].to_vec()));

    let at_once = rotate_secret(&again, &alone, "whsec_3", None).expect("it opens");
    assert_eq!(at_once.previous_signing_key, None);
    assert_eq!(open_signing_keys(&at_once, &alone, 0).map(|keys| keys.len()), Ok(1));
}
