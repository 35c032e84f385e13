//! Keyring: sealing, rotation, and what must not open.

use super::{Keyring, KeyringError};

const SECRET: &[u8] = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn keyring() -> Keyring {
    Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid")
}

#[test]
fn what_is_sealed_opens_and_is_not_readable() {
    let keyring = keyring();
    let sealed = keyring.seal(SECRET, "org_a", "wh_1", "signing_secret");
    assert_eq!(
        keyring.open(&sealed, "org_a", "wh_1", "signing_secret").as_deref(),
        Ok(SECRET)
    );
    assert!(!sealed.windows(6).any(|w| w == b"whsec_"));
    assert_ne!(
        sealed,
        keyring.seal(SECRET, "org_a", "wh_1", "signing_secret"),
        "nonces are never the same"
    );
}

#[test]
fn sealed_bytes_open_nowhere_else() {
    let keyring = keyring();
    let sealed = keyring.seal(SECRET, "org_a", "wh_1", "signing_secret");
    let elsewhere = [
        ("org_b", "wh_1", "signing_secret"),
        ("org_a", "wh_2", "signing_secret"),
        ("org_a", "wh_1", "previous_signing_secret"),
        ("org_aw", "h_1", "signing_secret"),
    ];
    for (tenant, endpoint, field) in elsewhere {
        assert_eq!(
            keyring.open(&sealed, tenant, endpoint, field),
            Err(KeyringError::Refused)
        );
    }
}

#[test]
fn damaged_or_foreign_bytes_are_refused() {
    let keyring = keyring();
    let mut sealed = keyring.seal(SECRET, "t", "e", "f");
    assert_eq!(keyring.open(SECRET, "t", "e", "f"), Err(KeyringError::NotSealed));
    assert_eq!(keyring.open(&sealed[..20], "t", "e", "f"), Err(KeyringError::NotSealed));
    assert!(!Keyring::looks_sealed(SECRET) && Keyring::looks_sealed(&sealed));
    *sealed.last_mut().expect("not empty") ^= 1;
    assert_eq!(keyring.open(&sealed, "t", "e", "f"), Err(KeyringError::Refused));
}

#[test]
fn a_previous_key_opens_and_the_current_one_seals() {
    let old_key = Keyring::generate_key();
    let old = Keyring::new(&old_key, &[]).expect("a generated key is valid");
    let sealed = old.seal(SECRET, "t", "e", "f");
    let new = Keyring::new(&Keyring::generate_key(), &[old_key]).expect("generated keys are valid");
    assert_eq!(new.open(&sealed, "t", "e", "f").as_deref(), Ok(SECRET));
    assert!(old.is_current(&sealed) && !new.is_current(&sealed));
    let again = new.seal(SECRET, "t", "e", "f");
    assert!(new.is_current(&again));
    assert_eq!(old.open(&again, "t", "e", "f"), Err(KeyringError::UnknownKey));
}

#[test]
fn bad_keys_are_refused_and_none_is_shown() {
    for bad in ["", "short", "dG9vIHNob3J0", "not base64!"] {
        assert_eq!(Keyring::new(bad, &[]).err(), Some(KeyringError::BadKey));
    }
    let key = Keyring::generate_key();
    let shown = format!("{:?}", Keyring::new(&key, &[]).expect("a generated key is valid"));
    assert!(!shown.contains(&key));
}
