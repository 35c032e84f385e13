//! What an endpoint's requests are signed with, decrypted once.

use ledger::Keyring;
use schemas::Endpoint;
use signing::{Scheme, SigningKey, SigningSecret};

/// The present signers, and the previous ones while they are valid.
pub(crate) struct Signers {
    scheme: Scheme,
    /// None when something can't be used that the scheme asks for.
    current: Option<Pair>,
    previous: Option<(Pair, i64)>,
}

struct Pair {
    secret: SigningSecret,
    key: Option<SigningKey>,
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
            previous: previous(endpoint, keyring),
        }
    }

    pub(crate) fn can_sign(&self) -> bool {
        self.current.is_some()
    }

    pub(crate) fn sign(&self, delivery_id: &str, body: &[u8], now_ms: i64) -> Option<String> {
        let current = self.current.as_ref()?;
        let previous = self
            .previous
            .as_ref()
            .filter(|(_, expires_at_ms)| now_ms < *expires_at_ms);
        let mut secrets = vec![&current.secret];
        let mut keys: Vec<&SigningKey> = current.key.iter().collect();
        if let Some((previous, _)) = previous {
            secrets.push(&previous.secret);
            keys.extend(&previous.key);
        }
        signing::sign(self.scheme, delivery_id, now_ms / 1000, body, &secrets, &keys)
    }
}

/// None when something is missing that the scheme asks for.
fn current(endpoint: &Endpoint, keyring: &Keyring, scheme: Scheme) -> Option<Pair> {
    let (secret, key) = (Some(&endpoint.signing_secret), endpoint.signing_key.as_ref());
    let pair = pair(endpoint, keyring, secret, key, ["signing_secret", "signing_key"])?;
    let complete = !scheme.has_v1a() || pair.key.is_some();
    complete.then_some(pair)
}

fn previous(endpoint: &Endpoint, keyring: &Keyring) -> Option<(Pair, i64)> {
    let expires_at_ms = endpoint.previous_signing_secret_expires_at_ms?;
    let secret = endpoint.previous_signing_secret.as_ref();
    let key = endpoint.previous_signing_key.as_ref();
    let fields = ["previous_signing_secret", "previous_signing_key"];
    Some((pair(endpoint, keyring, secret, key, fields)?, expires_at_ms))
}

fn pair(
    endpoint: &Endpoint,
    keyring: &Keyring,
    secret: Option<&Vec<u8>>,
    key: Option<&Vec<u8>>,
    [secret_field, key_field]: [&str; 2],
) -> Option<Pair> {
    if endpoint.status == "deleted" {
        return None;
    }
    let secret = parsed(endpoint, keyring, secret?, secret_field, SigningSecret::parse)?;
    let key = key.and_then(|sealed| parsed(endpoint, keyring, sealed, key_field, SigningKey::parse));
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
