//! What an endpoint's requests are signed with, decrypted once.

use ledger::{Keyring, OldSecret, old_secrets};
use schemas::Endpoint;
use signing::{Scheme, SigningKey, SigningSecret};

/// The present signers, and the old ones while they are valid.
pub(crate) struct Signers {
    scheme: Scheme,
    /// None when something can't be used that the scheme asks for.
    current: Option<Pair>,
    /// Newest first.
    old: Vec<Old>,
}

struct Pair {
    secret: SigningSecret,
    /// Only of a scheme that asks for it.
    key: Option<SigningKey>,
}

struct Old {
    /// None when something of it can't be used that the scheme asks for: before it expires, nothing is signed in full.
    pair: Option<Pair>,
    expires_at_ms: i64,
}

impl Signers {
    pub(crate) fn new(endpoint: &Endpoint, keyring: &Keyring) -> Self {
        let scheme = endpoint.signature_scheme.parse().unwrap_or_else(|error| {
            tracing::error!(endpoint = %endpoint.id, %error, "taken as v1; upgrade this process");
            Scheme::V1
        });
        Self {
            scheme,
            current: current(endpoint, keyring, scheme),
            old: old_secrets(endpoint)
                .map(|one| old(endpoint, keyring, scheme, &one))
                .collect(),
        }
    }

    /// From when on requests can be signed in full, Unix milliseconds: when the last old secret that can't be used has
    /// expired. None: never.
    pub(crate) fn signs_from_ms(&self) -> Option<i64> {
        self.current.as_ref()?;
        let unusable = self.old.iter().filter(|old| old.pair.is_none());
        Some(unusable.map(|old| old.expires_at_ms).max().unwrap_or(i64::MIN))
    }

    pub(crate) fn sign(&self, delivery_id: &str, body: &[u8], now_ms: i64) -> Option<String> {
        let current = self.current.as_ref()?;
        let mut secrets = vec![&current.secret];
        let mut keys: Vec<&SigningKey> = current.key.iter().collect();
        for old in self.old.iter().filter(|old| now_ms < old.expires_at_ms) {
            let pair = old.pair.as_ref()?;
            secrets.push(&pair.secret);
            keys.extend(&pair.key);
        }
        signing::sign(self.scheme, delivery_id, now_ms / 1000, body, &secrets, &keys)
    }
}

/// None when something is missing that the scheme asks for.
fn current(endpoint: &Endpoint, keyring: &Keyring, scheme: Scheme) -> Option<Pair> {
    let (secret, key) = (&endpoint.signing_secret, endpoint.signing_key.as_deref());
    let pair = pair(
        endpoint,
        keyring,
        scheme,
        secret,
        key,
        ["signing_secret", "signing_key"],
    )?;
    let complete = !scheme.has_v1a() || pair.key.is_some();
    complete.then_some(pair)
}

/// One of before the endpoint had a key pair has none to sign with.
fn old(endpoint: &Endpoint, keyring: &Keyring, scheme: Scheme, old: &OldSecret<'_>) -> Old {
    let fields = ["previous_signing_secret", "previous_signing_key"];
    Old {
        pair: pair(endpoint, keyring, scheme, old.secret, old.key, fields),
        expires_at_ms: old.expires_at_ms,
    }
}

/// None when it can't be used, as far as the scheme asks for it.
fn pair(
    endpoint: &Endpoint,
    keyring: &Keyring,
    scheme: Scheme,
    secret: &[u8],
    key: Option<&[u8]>,
    [secret_field, key_field]: [&str; 2],
) -> Option<Pair> {
    if endpoint.status == "deleted" {
        return None;
    }
    let secret = parsed(endpoint, keyring, secret, secret_field, SigningSecret::parse)?;
    let key = match key.filter(|_| scheme.has_v1a()) {
        None => None,
        Some(sealed) => Some(parsed(endpoint, keyring, sealed, key_field, SigningKey::parse)?),
    };
    Some(Pair { secret, key })
}

fn parsed<T, E: std::fmt::Display>(
    endpoint: &Endpoint,
    keyring: &Keyring,
    sealed: &[u8],
    field: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    parse(&opened(endpoint, keyring, sealed, field)?)
        .inspect_err(|error| tracing::error!(endpoint = %endpoint.id, field, %error, "what it signs with is unusable"))
        .ok()
}

/// A field of the endpoint in clear; None, and an error in the log, when it doesn't open.
pub(crate) fn opened(endpoint: &Endpoint, keyring: &Keyring, sealed: &[u8], field: &str) -> Option<String> {
    match keyring.open(sealed, &endpoint.tenant, &endpoint.id, field) {
        Ok(opened) => String::from_utf8(opened).ok(),
        Err(error) => {
            tracing::error!(
                endpoint = %endpoint.id, field, %error,
                "a secret can't be decrypted; check secrets.key and secrets.previous_keys"
            );
            None
        }
    }
}

#[cfg(test)]
mod tests;
