//! An endpoint's secrets: sealing, opening, rotating, and sealing all again with a new key.

use crate::{Entity, Keyring, KeyringError, Ledger, WriteError, Writer};
use schemas::Endpoint;
use serde_bytes::ByteBuf;
use std::{collections::BTreeMap, sync::Arc};

const SIGNING_SECRET: &str = "signing_secret";
const PREVIOUS_SIGNING_SECRET: &str = "previous_signing_secret";
/// Tries of one endpoint whose record others are changing meanwhile.
const REKEY_TRIES: usize = 10;

/// Sets the secret that deliveries are signed with, a text `whsec_…`.
pub fn seal_signing_secret(endpoint: &mut Endpoint, keyring: &Keyring, secret: &str) {
    endpoint.signing_secret = keyring.seal(secret.as_bytes(), &endpoint.tenant, &endpoint.id, SIGNING_SECRET);
}

/// Secrets to sign with at `now_ms`, the current one first, as texts `whsec_…`.
pub fn open_signing_secrets(endpoint: &Endpoint, keyring: &Keyring, now_ms: i64) -> Result<Vec<String>, KeyringError> {
    let open = |sealed: &[u8], field: &str| {
        let plain = keyring.open(sealed, &endpoint.tenant, &endpoint.id, field)?;
        String::from_utf8(plain).map_err(|_| KeyringError::NotSealed)
    };
    let mut secrets = vec![open(&endpoint.signing_secret, SIGNING_SECRET)?];
    if let Some(previous) = &endpoint.previous_signing_secret
        && endpoint
            .previous_signing_secret_expires_at_ms
            .is_some_and(|at| at > now_ms)
    {
        secrets.push(open(previous, PREVIOUS_SIGNING_SECRET)?);
    }
    Ok(secrets)
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
    let open = |(name, sealed): (&String, &ByteBuf)| {
        let plain = keyring.open(sealed, &endpoint.tenant, &endpoint.id, &header_field(name))?;
        Ok((
            name.clone(),
            String::from_utf8(plain).map_err(|_| KeyringError::NotSealed)?,
        ))
    };
    endpoint.headers.iter().map(open).collect()
}

fn header_field(name: &str) -> String {
    format!("header:{}", name.to_ascii_lowercase())
}

/// The endpoint with a new secret. Until `previous_expires_at_ms` the old one signs too; None ends it at once.
pub fn rotate_secret(
    endpoint: &Endpoint,
    keyring: &Keyring,
    secret: &str,
    previous_expires_at_ms: Option<i64>,
) -> Result<Endpoint, KeyringError> {
    let mut rotated = endpoint.clone();
    rotated.previous_signing_secret = None;
    rotated.previous_signing_secret_expires_at_ms = None;
    if previous_expires_at_ms.is_some() {
        let old = keyring.open(&endpoint.signing_secret, &endpoint.tenant, &endpoint.id, SIGNING_SECRET)?;
        let sealed = keyring.seal(&old, &endpoint.tenant, &endpoint.id, PREVIOUS_SIGNING_SECRET);
        rotated.previous_signing_secret = Some(sealed);
        rotated.previous_signing_secret_expires_at_ms = previous_expires_at_ms;
    }
    seal_signing_secret(&mut rotated, keyring, secret);
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
    if let Some(previous) = &mut new.previous_signing_secret {
        reseal(previous, PREVIOUS_SIGNING_SECRET)?;
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
