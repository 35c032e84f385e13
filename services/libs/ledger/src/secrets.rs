//! An endpoint's secrets: sealing, opening, rotating, and sealing all again with a new key.

use crate::{Entity, Keyring, KeyringError, Ledger, WriteError, Writer};
use schemas::Endpoint;
use serde_bytes::ByteBuf;
use signing::SigningKey;
use std::{collections::BTreeMap, sync::Arc};

const SIGNING_SECRET: &str = "signing_secret";
const PREVIOUS_SIGNING_SECRET: &str = "previous_signing_secret";
const SIGNING_KEY: &str = "signing_key";
const PREVIOUS_SIGNING_KEY: &str = "previous_signing_key";
/// Tries of one endpoint whose record others are changing meanwhile.
const REKEY_TRIES: usize = 10;

/// Sets the secret that deliveries are signed with, a text `whsec_…`.
pub fn seal_signing_secret(endpoint: &mut Endpoint, keyring: &Keyring, secret: &str) {
    endpoint.signing_secret = keyring.seal(secret.as_bytes(), &endpoint.tenant, &endpoint.id, SIGNING_SECRET);
}

/// Secrets to sign with at `now_ms`, the current one first, as texts `whsec_…`.
pub fn open_signing_secrets(endpoint: &Endpoint, keyring: &Keyring, now_ms: i64) -> Result<Vec<String>, KeyringError> {
    let mut secrets = vec![open(endpoint, keyring, &endpoint.signing_secret, SIGNING_SECRET)?];
    if let Some(previous) = &endpoint.previous_signing_secret
        && is_previous_valid(endpoint, now_ms)
    {
        secrets.push(open(endpoint, keyring, previous, PREVIOUS_SIGNING_SECRET)?);
    }
    Ok(secrets)
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
    let previous = endpoint
        .previous_signing_key
        .as_ref()
        .filter(|_| is_previous_valid(endpoint, now_ms));
    let current = endpoint.signing_key.iter().map(|sealed| (sealed, SIGNING_KEY));
    current
        .chain(previous.map(|sealed| (sealed, PREVIOUS_SIGNING_KEY)))
        .map(|(sealed, field)| open(endpoint, keyring, sealed, field))
        .collect()
}

fn is_previous_valid(endpoint: &Endpoint, now_ms: i64) -> bool {
    endpoint
        .previous_signing_secret_expires_at_ms
        .is_some_and(|at| at > now_ms)
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

/// The endpoint with a new secret, and a new key pair when it had one. Until `previous_expires_at_ms` the old ones sign
/// too; None ends them at once.
pub fn rotate_secret(
    endpoint: &Endpoint,
    keyring: &Keyring,
    secret: &str,
    previous_expires_at_ms: Option<i64>,
) -> Result<Endpoint, KeyringError> {
    let mut rotated = endpoint.clone();
    rotated.previous_signing_secret = None;
    rotated.previous_signing_key = None;
    rotated.previous_signing_secret_expires_at_ms = previous_expires_at_ms;
    if previous_expires_at_ms.is_some() {
        let again = |sealed: &[u8], field: &str, previous_field: &str| {
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
        let resealed = resealed(&endpoint.entity, keyring).map_err(|source| RekeyError::Keyring {
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
fn resealed(endpoint: &Endpoint, keyring: &Keyring) -> Result<Option<Endpoint>, KeyringError> {
    let mut new = endpoint.clone();
    let mut changed = false;
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
    for (name, sealed) in &mut new.headers {
        let mut bytes = std::mem::take(sealed).into_vec();
        reseal(&mut bytes, &header_field(name))?;
        *sealed = ByteBuf::from(bytes);
    }
    Ok(changed.then_some(new))
}

#[cfg(test)]
mod tests;
