//! Which signatures a request carries: an endpoint's `signatureScheme`.

use crate::{key::SigningKey, secret::SigningSecret, v1::sign_v1, v1a::push_v1a};
use std::{fmt, str::FromStr};

/// Signatures that an endpoint asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scheme {
    /// HMAC-SHA256 with the shared secret.
    #[default]
    V1,
    /// ed25519, verified with a public key.
    V1a,
    /// Each.
    Both,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::V1, Self::V1a, Self::Both];

    /// Its name in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1a => "v1a",
            Self::Both => "both",
        }
    }

    /// Whether a secret signs.
    #[must_use]
    pub fn has_v1(self) -> bool {
        matches!(self, Self::V1 | Self::Both)
    }

    /// Whether a key pair signs.
    #[must_use]
    pub fn has_v1a(self) -> bool {
        matches!(self, Self::V1a | Self::Both)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that no scheme has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown signature scheme `{0}`; use v1, v1a or both")]
pub struct UnknownScheme(String);

impl FromStr for Scheme {
    type Err = UnknownScheme;

    fn from_str(name: &str) -> Result<Self, UnknownScheme> {
        Self::ALL
            .into_iter()
            .find(|scheme| scheme.as_str() == name)
            .ok_or_else(|| UnknownScheme(name.to_owned()))
    }
}

/// The value of the signature header, space-separated: `v1,<base64>` of each secret, then `v1a,<base64>` of each key, as
/// far as the scheme asks for them. During a rotation that is the new one's, then the old one's. `timestamp_s` is the
/// attempt's time, Unix seconds.
///
/// `None` when there is nothing to make a signature with that the scheme asks for: such a request may not be sent.
#[must_use]
pub fn sign(
    scheme: Scheme,
    id: &str,
    timestamp_s: i64,
    body: &[u8],
    secrets: &[&SigningSecret],
    keys: &[&SigningKey],
) -> Option<String> {
    if (scheme.has_v1() && secrets.is_empty()) || (scheme.has_v1a() && keys.is_empty()) {
        return None;
    }
    let mut header = match scheme {
        Scheme::V1 => return Some(sign_v1(id, timestamp_s, body, secrets)),
        Scheme::V1a => String::new(),
        Scheme::Both => sign_v1(id, timestamp_s, body, secrets),
    };
    push_v1a(&mut header, id, timestamp_s, body, keys);
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for scheme in Scheme::ALL {
            assert_eq!(scheme.as_str().parse(), Ok(scheme));
        }
        assert!("V1".parse::<Scheme>().is_err());
    }

    #[test]
    fn each_scheme_carries_its_signatures_in_order() {
        let (secret, old_secret) = (SigningSecret::generate(), SigningSecret::generate());
        let (key, old_key) = (SigningKey::generate(), SigningKey::generate());
        for (scheme, versions) in [
            (Scheme::V1, "v1 v1"),
            (Scheme::V1a, "v1a v1a"),
            (Scheme::Both, "v1 v1 v1a v1a"),
        ] {
            let header = sign(scheme, "a", 1, b"{}", &[&secret, &old_secret], &[&key, &old_key]).expect("all is there");
            let found: Vec<_> = header.split(' ').filter_map(|one| one.split(',').next()).collect();
            assert_eq!(found.join(" "), versions);
            let now_s = 1;
            for secret in [&secret, &old_secret] {
                let fits = crate::verify("a", "1", &header, b"{}", &[secret], now_s, 0).is_ok();
                assert_eq!(fits, scheme.has_v1(), "{scheme}");
            }
            for key in [&key, &old_key] {
                let fits = crate::verify_v1a("a", "1", &header, b"{}", &[key.public_key()], now_s, 0).is_ok();
                assert_eq!(fits, scheme.has_v1a(), "{scheme}");
            }
        }
    }

    #[test]
    fn nothing_is_signed_in_part() {
        let (secret, key) = (SigningSecret::generate(), SigningKey::generate());
        let with = |scheme, secrets: &[&SigningSecret], keys: &[&SigningKey]| {
            sign(scheme, "a", 1, b"{}", secrets, keys).is_some()
        };
        assert!(with(Scheme::V1, &[&secret], &[]) && !with(Scheme::V1, &[], &[&key]));
        assert!(with(Scheme::V1a, &[], &[&key]) && !with(Scheme::V1a, &[&secret], &[]));
        assert!(!with(Scheme::Both, &[&secret], &[]) && !with(Scheme::Both, &[], &[&key]));
    }
}
