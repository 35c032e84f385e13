//! A signing secret: `whsec_` and base64 of its key. It never shows itself in `Debug`.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::Sha256;
use std::fmt;
use std::str::FromStr;

const PREFIX: &str = "whsec_";
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const GENERATED_KEY_BYTES: usize = 32;

/// A symmetric key, with its HMAC state ready: signing clones the state instead of hashing the key each time.
#[derive(Clone)]
pub struct SigningSecret {
    key: Vec<u8>,
    keyed: Hmac<Sha256>,
}

/// Why a text is not a signing secret. Says nothing of the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    #[error("a signing secret begins with `whsec_`")]
    Prefix,
    #[error("what follows `whsec_` must be base64, with its padding")]
    Encoding,
    #[error("a signing secret holds 24 to 64 bytes")]
    Length,
}

impl SigningSecret {
    /// Reads `whsec_` and base64 of 24 to 64 bytes.
    ///
    /// # Errors
    /// [`InvalidSecret`], in words for whoever brought the secret.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret::Prefix)?;
        let key = STANDARD.decode(encoded).map_err(|_| InvalidSecret::Encoding)?;
        Self::from_key(key)
    }

    /// A new secret of 32 random bytes.
    #[must_use]
    pub fn generate() -> Self {
        let mut key = vec![0; GENERATED_KEY_BYTES];
        rand::rng().fill_bytes(&mut key);
        Self::from_key(key).expect("32 bytes are within the allowed length")
    }

    fn from_key(key: Vec<u8>) -> Result<Self, InvalidSecret> {
        if !KEY_BYTES.contains(&key.len()) {
            return Err(InvalidSecret::Length);
        }
        let keyed = Hmac::new_from_slice(&key).map_err(|_| InvalidSecret::Length)?;
        Ok(Self { key, keyed })
    }

    /// The secret in clear, `whsec_…`: for the one answer that shows it, and to be encrypted. Never log it.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.key))
    }

    pub(crate) fn hmac(&self) -> Hmac<Sha256> {
        self.keyed.clone()
    }
}

impl FromStr for SigningSecret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        Self::parse(text)
    }
}

/// Redacted: invariant 5.
impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_bytes(length: usize) -> String {
        format!("whsec_{}", STANDARD.encode(vec![7_u8; length]))
    }

    #[test]
    fn what_is_generated_is_read_back_and_differs() {
        let secret = SigningSecret::generate();
        let read = SigningSecret::parse(&secret.expose()).expect("own text is read");
        assert_eq!((read.key.len(), &read.key), (32, &secret.key));
        assert_ne!(SigningSecret::generate().expose(), secret.expose());
    }

    #[test]
    fn takes_24_to_64_bytes() {
        for (length, expected) in [(23, false), (24, true), (64, true), (65, false), (0, false)] {
            assert_eq!(SigningSecret::parse(&of_bytes(length)).is_ok(), expected, "{length}");
        }
    }

    #[test]
    fn refuses_what_is_no_secret() {
        assert_eq!(
            SigningSecret::parse("sk_abc").expect_err("prefix"),
            InvalidSecret::Prefix
        );
        assert_eq!(
            SigningSecret::parse("whsec_!!").expect_err("base64"),
            InvalidSecret::Encoding
        );
        assert_eq!(
            SigningSecret::parse("whsec_").expect_err("empty"),
            InvalidSecret::Length
        );
    }

    #[test]
    fn never_shows_itself_invariant_5() {
        let secret = SigningSecret::generate();
        let shown = format!("{secret:?} {:?}", SigningSecret::parse("whsec_!!secret"));
        assert!(!shown.contains(&secret.expose()["whsec_".len()..]) && !shown.contains("!!secret"));
    }
}
