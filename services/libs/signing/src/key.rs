//! An ed25519 key pair: `whsk_` and base64 of its 64 bytes (the seed, then the public key), which stays with the sender,
//! and `whpk_` and base64 of the 32 bytes that receivers verify with. The secret half never shows itself in `Debug`.

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{KEYPAIR_LENGTH, PUBLIC_KEY_LENGTH, SECRET_KEY_LENGTH, VerifyingKey};
use rand::RngCore;
use std::fmt;

const SECRET_PREFIX: &str = "whsk_";
const PUBLIC_PREFIX: &str = "whpk_";

/// A key pair to sign with. Its memory is overwritten when it is dropped.
#[derive(Clone)]
pub struct SigningKey(pub(crate) ed25519_dalek::SigningKey);

/// What a receiver verifies with. No secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub(crate) VerifyingKey);

/// Why a text is not a key. Says nothing of the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    #[error("a signing key begins with `whsk_`")]
    SecretPrefix,
    #[error("a public key begins with `whpk_`")]
    PublicPrefix,
    #[error("what follows `whsk_` or `whpk_` must be base64, with its padding")]
    Encoding,
    #[error("a signing key holds a seed of 32 bytes, alone or followed by its public key; a public key holds 32 bytes")]
    Length,
    #[error("that is no ed25519 key, or its halves don't belong together")]
    Curve,
}

impl SigningKey {
    /// Reads `whsk_` and base64 of the pair (64 bytes, as Standard Webhooks tools write it) or of its seed (32 bytes).
    ///
    /// # Errors
    /// [`InvalidKey`], in words for whoever brought the key.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let encoded = text.strip_prefix(SECRET_PREFIX).ok_or(InvalidKey::SecretPrefix)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidKey::Encoding)?;
        if let Ok(pair) = <&[u8; KEYPAIR_LENGTH]>::try_from(bytes.as_slice()) {
            let key = ed25519_dalek::SigningKey::from_keypair_bytes(pair).map_err(|_| InvalidKey::Curve)?;
            return Ok(Self(key));
        }
        let seed = <&[u8; SECRET_KEY_LENGTH]>::try_from(bytes.as_slice()).map_err(|_| InvalidKey::Length)?;
        Ok(Self(ed25519_dalek::SigningKey::from_bytes(seed)))
    }

    /// A new key pair.
    #[must_use]
    pub fn generate() -> Self {
        let mut seed = [0; SECRET_KEY_LENGTH];
        rand::rng().fill_bytes(&mut seed);
        Self(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    /// The pair in clear, `whsk_…`: to be encrypted, and never shown or logged.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(self.0.to_keypair_bytes()))
    }

    /// The half for receivers.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }
}

/// Redacted: invariant 5.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

impl PublicKey {
    /// Reads `whpk_` and base64 of 32 bytes.
    ///
    /// # Errors
    /// [`InvalidKey`].
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let encoded = text.strip_prefix(PUBLIC_PREFIX).ok_or(InvalidKey::PublicPrefix)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidKey::Encoding)?;
        let bytes = <&[u8; PUBLIC_KEY_LENGTH]>::try_from(bytes.as_slice()).map_err(|_| InvalidKey::Length)?;
        VerifyingKey::from_bytes(bytes).map(Self).map_err(|_| InvalidKey::Curve)
    }
}

/// `whpk_…`, as receivers configure it.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_PREFIX}{}", STANDARD.encode(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_generated_is_read_back_and_differs() {
        let key = SigningKey::generate();
        let read = SigningKey::parse(&key.expose()).expect("own text is read");
        assert_eq!((read.0.as_bytes(), read.expose()), (key.0.as_bytes(), key.expose()));
        assert_ne!(SigningKey::generate().expose(), key.expose());
        let public = PublicKey::parse(&key.public_key().to_string()).expect("own text is read");
        assert_eq!(public, key.public_key());
    }

    #[test]
    fn a_seed_alone_is_enough() {
        let key = SigningKey::generate();
        let seed = format!("whsk_{}", STANDARD.encode(key.0.as_bytes()));
        assert_eq!(SigningKey::parse(&seed).expect("a seed").expose(), key.expose());
    }

    #[test]
    fn refuses_what_is_no_key() {
        let of = |prefix: &str, bytes: &[u8]| format!("{prefix}{}", STANDARD.encode(bytes));
        let refused = |text: &str| SigningKey::parse(text).expect_err("it is refused");
        assert_eq!(refused(&of("whsec_", &[7; 32])), InvalidKey::SecretPrefix);
        assert_eq!(refused("whsk_!!"), InvalidKey::Encoding);
        assert_eq!(refused(&of("whsk_", &[7; 31])), InvalidKey::Length);
        assert_eq!(refused(&of("whsk_", &[7; 64])), InvalidKey::Curve);
        let public = |text: &str| PublicKey::parse(text).expect_err("it is refused");
        assert_eq!(public(&of("whsk_", &[7; 32])), InvalidKey::PublicPrefix);
        assert_eq!(public(&of("whpk_", &[7; 64])), InvalidKey::Length);
        assert_eq!(public(&of("whpk_", &[2; 32])), InvalidKey::Curve);
    }

    #[test]
    fn never_shows_itself_invariant_5() {
        let key = SigningKey::generate();
        let shown = format!("{key:?} {:?}", SigningKey::parse("whsk_!!secret"));
        let seed = STANDARD.encode(&key.0.as_bytes()[..30]);
        assert!(!shown.contains(&seed) && !shown.contains("!!secret"));
    }
}
