//! An endpoint's secrets: sealing, opening, rotating, and sealing all again with a new key.

use crate::{Entity, Keyring, KeyringError, Ledger, WriteError, Writer};
use runtime::clock::{now_ms, rfc3339};
use schemas::{Endpoint, FormerSecret};
use serde_bytes::ByteBuf;
use signing::SigningKey;
use std::{collections::BTreeMap, sync::Arc};

const SIGNING_SECRET: &str = "signing_secret";
const PREVIOUS_SIGNING_SECRET: &str = "previous_signing_secret";
const SIGNING_KEY: &str = "signing_key";
const PREVIOUS_SIGNING_KEY: &str = "previous_signing_key";
/// Most old secrets of an endpoint that are valid at the same time.
pub(crate) const MAX_OLD_SECRETS: usize = 8;
/// Tries of one endpoint whose record others are changing meanwhile.
const REKEY_TRIES: usize = 10;

/// Sets the secret that deliveries are signed with, a text `whsec_…`.
pub fn seal_signing_secret(endpoint: &mut Endpoint, keyring: &Keyring, secret: &str) {
    endpoint.signing_secret = keyring.seal(secret.as_bytes(), &endpoint.tenant, &endpoint.id, SIGNING_SECRET);
}

/// Secrets to sign with at `now_ms`, the current one first, as texts `whsec_…`.
pub fn open_signing_secrets(endpoint: &Endpoint, keyring: &Keyring, now_ms: i64) -> Result<Vec<String>, KeyringError> {
    let current = std::iter::once((endpoint.signing_secret.as_slice(), SIGNING_SECRET));
    current
        .chain(valid_at(endpoint, now_ms).map(|old| (old.secret, PREVIOUS_SIGNING_SECRET)))
        .map(|(sealed, field)| open(endpoint, keyring, sealed, field))
        .collect()
}

/// A secret that a rotation replaced, and its key pair: sealed under the field names of the previous ones.
pub struct OldSecret<'a> {
    pub secret: &'a [u8],
    /// None: it had none.
    pub key: Option<&'a [u8]>,
    /// Until when it signs too, Unix milliseconds.
    pub expires_at_ms: i64,
}

/// All that the endpoint keeps, expired ones as well: the previous one, then former ones, newest first.
pub fn old_secrets(endpoint: &Endpoint) -> impl Iterator<Item = OldSecret<'_>> {
    let previous = endpoint.previous_signing_secret.as_deref();
    let previous = previous.zip(endpoint.previous_signing_secret_expires_at_ms);
    let previous = previous.map(|(secret, expires_at_ms)| OldSecret {
        secret,
        key: endpoint.previous_signing_key.as_deref(),
        expires_at_ms,
    });
    let former = endpoint.former_secrets.iter().map(|former| OldSecret {
        secret: &former.secret,
        key: former.key.as_deref(),
        expires_at_ms: former.expires_at_ms,
    });
    previous.into_iter().chain(former)
}

fn valid_at(endpoint: &Endpoint, now_ms: i64) -> impl Iterator<Item = OldSecret<'_>> {
    old_secrets(endpoint).filter(move |old| old.expires_at_ms > now_ms)
}

/// When the last of the old secrets that are valid at `now_ms` expires, Unix milliseconds; None: none is.
#[must_use]
pub fn old_secrets_expire_at_ms(endpoint: &Endpoint, now_ms: i64) -> Option<i64> {
    valid_at(endpoint, now_ms).map(|old| old.expires_at_ms).max()
}

/// Makes the key pair that scheme `v1a` signs with, unless there is one: random, and no relation of the secret, which
/// receivers know.
pub fn make_signing_key(endpoint: &mut Endpoint, keyring: &Keyring) {
    if endpoint.signing_key.is_none() {
        replace_signing_key(endpoint, keyring);
    }
}

fn replace_signing_key(endpoint: &mut Endpoint, keyring: &Keyring) {
    let key = SigningKey::generate();
    let sealed = keyring.seal(key.expose().as_bytes(), &endpoint.tenant, &endpoint.id, SIGNING_KEY);
    endpoint.signing_key = Some(sealed);
    endpoint.public_key = Some(key.public_key().to_string());
}

/// Key pairs to sign with at `now_ms`, the current one first, as texts `whsk_…`. None for an endpoint that never had a
/// scheme with `v1a`.
pub fn open_signing_keys(endpoint: &Endpoint, keyring: &Keyring, now_ms: i64) -> Result<Vec<String>, KeyringError> {
    let current = endpoint.signing_key.as_deref().map(|sealed| (sealed, SIGNING_KEY));
    let old = valid_at(endpoint, now_ms).filter_map(|old| old.key);
    current
        .into_iter()
        .chain(old.map(|sealed| (sealed, PREVIOUS_SIGNING_KEY)))
        .map(|(sealed, field)| open(endpoint, keyring, sealed, field))
        .collect()
}

fn open(endpoint: &Endpoint, keyring: &Keyring, sealed: &[u8], field: &str) -> Result<String, KeyringError> {
    let plain = keyring.open(sealed, &endpoint.tenant, &endpoint.id, field)?;
    String::from_utf8(plain).map_err(|_| KeyringError::NotSealed)
}

/// Sets a header that every request to this endpoint carries. Its value is a secret too.
pub fn seal_header(endpoint: &mut Endpoint, keyring: &Keyring, name: &str, value: &str) {
    let sealed = keyring.seal(value.as_bytes(), &endpoint.tenant, &endpoint.id, &header_field(name));
    endpoint
        .headers
        .insert(name.to_ascii_lowercase(), ByteBuf::from(sealed));
}

/// The endpoint's own headers, values in clear.
pub fn open_headers(endpoint: &Endpoint, keyring: &Keyring) -> Result<BTreeMap<String, String>, KeyringError> {
    let headers = endpoint.headers.iter();
    headers
        .map(|(name, sealed)| Ok((name.clone(), open(endpoint, keyring, sealed, &header_field(name))?)))
        .collect()
}

fn header_field(name: &str) -> String {
    format!("header:{}", name.to_ascii_lowercase())
}

/// Why a secret isn't rotated. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RotateError {
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// `free_at_ms`: when the first of them expires, Unix milliseconds.
    #[error(
        "{} old secrets of the endpoint are still valid, and it may have no more; wait until {}, or end them all with this rotation",
        MAX_OLD_SECRETS,
        rfc3339(*.free_at_ms)
    )]
    TooManyOld { free_at_ms: i64 },
}

/// The endpoint with a new secret, and a new key pair when it had one. Until `previous_expires_at_ms` the ones that these
/// replace sign too, and those of before, as far as they are valid at `now_ms`, each until its own expiry; None ends all
/// of them at once.
///
/// # Errors
/// The current secret doesn't open; or as many old ones as there may be are still valid.
pub fn rotate_secret(
    endpoint: &Endpoint,
    keyring: &Keyring,
    secret: &str,
    previous_expires_at_ms: Option<i64>,
    now_ms: i64,
) -> Result<Endpoint, RotateError> {
    let mut rotated = endpoint.clone();
    rotated.previous_signing_secret = None;
    rotated.previous_signing_key = None;
    rotated.previous_signing_secret_expires_at_ms = previous_expires_at_ms;
    rotated.former_secrets = Vec::new();
    if previous_expires_at_ms.is_some() {
        rotated.former_secrets = former(endpoint, now_ms)?;
        let again = |sealed: &[u8], field: &str, previous_field: &str| -> Result<Vec<u8>, KeyringError> {
            let old = keyring.open(sealed, &endpoint.tenant, &endpoint.id, field)?;
            Ok(keyring.seal(&old, &endpoint.tenant, &endpoint.id, previous_field))
        };
        let secret = again(&endpoint.signing_secret, SIGNING_SECRET, PREVIOUS_SIGNING_SECRET)?;
        rotated.previous_signing_secret = Some(secret);
        let key = endpoint.signing_key.as_ref();
        rotated.previous_signing_key = key
            .map(|sealed| again(sealed, SIGNING_KEY, PREVIOUS_SIGNING_KEY))
            .transpose()?;
    }
    seal_signing_secret(&mut rotated, keyring, secret);
    if rotated.signing_key.is_some() {
        replace_signing_key(&mut rotated, keyring);
    }
    Ok(rotated)
}

/// The old secrets that stay beside one more.
fn former(endpoint: &Endpoint, now_ms: i64) -> Result<Vec<FormerSecret>, RotateError> {
    let stay = valid_at(endpoint, now_ms).map(|old| FormerSecret {
        secret: old.secret.to_vec(),
        key: old.key.map(<[u8]>::to_vec),
        expires_at_ms: old.expires_at_ms,
    });
    let stay: Vec<_> = stay.collect();
    match stay.iter().map(|former| former.expires_at_ms).min() {
        Some(free_at_ms) if stay.len() >= MAX_OLD_SECRETS => Err(RotateError::TooManyOld { free_at_ms }),
        _ => Ok(stay),
    }
}

/// What stopped sealing all secrets again. What was done stays done; run it again.
#[derive(Debug, thiserror::Error)]
pub enum RekeyError {
    #[error("endpoint {endpoint}: {source}")]
    Keyring { endpoint: String, source: KeyringError },
    #[error("endpoint {endpoint}: {source}")]
    Write { endpoint: String, source: WriteError },
    #[error(transparent)]
    Ledger(#[from] crate::Error),
}

/// Seals every secret that a previous key sealed with the current one; returns how many endpoints were changed. After it
/// the previous keys may be taken out of the configuration.
pub async fn rekey(writer: &Writer, ledger: &Ledger, keyring: &Keyring) -> Result<usize, RekeyError> {
    let view = ledger.barrier().await?;
    let mut changed = 0;
    for endpoint in view.endpoints() {
        changed += usize::from(rekey_endpoint(writer, ledger, keyring, &endpoint.id).await?);
    }
    Ok(changed)
}

async fn rekey_endpoint(writer: &Writer, ledger: &Ledger, keyring: &Keyring, id: &str) -> Result<bool, RekeyError> {
    let failed = |source| RekeyError::Write {
        endpoint: id.to_owned(),
        source,
    };
    for attempt in 1.. {
        let view = ledger.view();
        let Some(endpoint) = view.endpoint(id) else {
            return Ok(false);
        };
        let resealed = resealed(&endpoint.entity, keyring, now_ms()).map_err(|source| RekeyError::Keyring {
            endpoint: id.to_owned(),
            source,
        })?;
        let Some(resealed) = resealed else { return Ok(false) };
        match writer
            .put(Entity::Endpoint(Arc::new(resealed)), Some(endpoint.version))
            .await
        {
            Ok(_) => return Ok(true),
            Err(WriteError::Conflict { .. }) if attempt < REKEY_TRIES => {
                ledger.barrier().await?;
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(false)
}

/// None when everything is sealed with the current key already.
fn resealed(endpoint: &Endpoint, keyring: &Keyring, now_ms: i64) -> Result<Option<Endpoint>, KeyringError> {
    let mut new = endpoint.clone();
    // Nobody needs those any more, and whether they open says nothing.
    new.former_secrets.retain(|former| former.expires_at_ms > now_ms);
    let mut changed = new.former_secrets.len() < endpoint.former_secrets.len();
    let mut reseal = |sealed: &mut Vec<u8>, field: &str| -> Result<(), KeyringError> {
        if !sealed.is_empty() && !keyring.is_current(sealed) {
            let plain = keyring.open(sealed, &endpoint.tenant, &endpoint.id, field)?;
            *sealed = keyring.seal(&plain, &endpoint.tenant, &endpoint.id, field);
            changed = true;
        }
        Ok(())
    };
    reseal(&mut new.signing_secret, SIGNING_SECRET)?;
    for (sealed, field) in [
        (&mut new.previous_signing_secret, PREVIOUS_SIGNING_SECRET),
        (&mut new.signing_key, SIGNING_KEY),
        (&mut new.previous_signing_key, PREVIOUS_SIGNING_KEY),
    ] {
        if let Some(sealed) = sealed {
            reseal(sealed, field)?;
        }
    }
    for former in &mut new.former_secrets {
        reseal(&mut former.secret, PREVIOUS_SIGNING_SECRET)?;
        if let Some(key) = &mut former.key {
            reseal(key, PREVIOUS_SIGNING_KEY)?;
        }
    }
    for (name, sealed) in &mut new.headers {
        let mut bytes = std::mem::take(sealed).into_vec();
        reseal(&mut bytes, &header_field(name))?;
        *sealed = ByteBuf::from(bytes);
    }
    Ok(changed.then_some(new))
}

#[cfg(test)]
mod tests;
