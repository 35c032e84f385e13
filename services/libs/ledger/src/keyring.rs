//! Encryption of secrets at rest: AES-256-GCM with a current key and previous ones. Secrets are sealed before they are
//! sent anywhere (invariant 5).
//!
//! Sealed bytes: format `1`, the key's id (8 bytes of its SHA-256), a random nonce (12), ciphertext and tag. The
//! associated data is tenant, endpoint and field, so sealed bytes that are moved elsewhere don't open.

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use rand::RngCore;
use sha2::{Digest, Sha256};
use std::sync::Arc;

const FORMAT: u8 = 1;
const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// What is wrong with a key or with sealed bytes. Never says anything of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    #[error("a secrets key must be 32 bytes in base64; `hookline keygen` makes one")]
    BadKey,
    #[error("these bytes were not sealed by hookline, or are damaged")]
    NotSealed,
    #[error("sealed with a key that isn't configured; add it to secrets.previous_keys")]
    UnknownKey,
    #[error("sealed bytes don't open here: damaged, or moved from another tenant, endpoint or field")]
    Refused,
}

type KeyId = [u8; ID_BYTES];

/// The current key, which seals, and previous ones, which only open. Cheap to clone.
#[derive(Clone)]
pub struct Keyring {
    keys: Arc<[(KeyId, Aes256Gcm)]>,
}

impl Keyring {
    /// Keys are 32 bytes each, in base64.
    pub fn new(key_base64: &str, previous: &[String]) -> Result<Self, KeyringError> {
        let all = std::iter::once(key_base64).chain(previous.iter().map(String::as_str));
        let keys = all.map(read_key).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { keys: keys.into() })
    }

    /// A new key, in base64.
    #[must_use]
    pub fn generate_key() -> String {
        let mut key = [0; KEY_BYTES];
        rand::rng().fill_bytes(&mut key);
        STANDARD.encode(key)
    }

    /// Id of the current key, hex. It doesn't tell the key.
    #[must_use]
    pub fn key_id(&self) -> String {
        hex::encode(self.current().0)
    }

    /// Encrypts for one field of one endpoint.
    #[must_use]
    pub fn seal(&self, plain: &[u8], tenant: &str, endpoint: &str, field: &str) -> Vec<u8> {
        let (id, cipher) = self.current();
        let mut nonce = [0; NONCE_BYTES];
        rand::rng().fill_bytes(&mut nonce);
        let aad = associated_data(tenant, endpoint, field);
        let encrypted = cipher
            .encrypt(Nonce::from_slice(&nonce), Payload { msg: plain, aad: &aad })
            .expect("a secret is far below the cipher's limit of 64 GiB");
        [&[FORMAT], id.as_slice(), &nonce, &encrypted].concat()
    }

    /// Decrypts what [`Keyring::seal`] made for the same field of the same endpoint.
    pub fn open(&self, sealed: &[u8], tenant: &str, endpoint: &str, field: &str) -> Result<Vec<u8>, KeyringError> {
        let (id, nonce, encrypted) = split(sealed)?;
        let (_, cipher) = self
            .keys
            .iter()
            .find(|(known, _)| known == id)
            .ok_or(KeyringError::UnknownKey)?;
        let aad = associated_data(tenant, endpoint, field);
        cipher
            .decrypt(
                Nonce::from_slice(nonce),
                Payload {
                    msg: encrypted,
                    aad: &aad,
                },
            )
            .map_err(|_| KeyringError::Refused)
    }

    /// Whether these bytes were sealed with the current key; false: seal them again ([`crate::rekey`]).
    #[must_use]
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        split(sealed).is_ok_and(|(id, _, _)| *id == self.current().0)
    }

    /// Whether these bytes look sealed, by whatever key: what isn't must not be written anywhere.
    #[must_use]
    pub fn looks_sealed(bytes: &[u8]) -> bool {
        split(bytes).is_ok()
    }

    fn current(&self) -> &(KeyId, Aes256Gcm) {
        &self.keys[0]
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring")
            .field("key_id", &self.key_id())
            .field("keys", &self.keys.len())
            .finish()
    }
}

fn read_key(base64: &str) -> Result<(KeyId, Aes256Gcm), KeyringError> {
    let key = STANDARD.decode(base64.trim()).map_err(|_| KeyringError::BadKey)?;
    let cipher = Aes256Gcm::new_from_slice(&key).map_err(|_| KeyringError::BadKey)?;
    let digest: [u8; 32] = Sha256::digest(&key).into();
    let (id, _) = digest.split_first_chunk().expect("a digest is longer than an id");
    Ok((*id, cipher))
}

fn split(sealed: &[u8]) -> Result<(&KeyId, &[u8], &[u8]), KeyringError> {
    let rest = sealed.strip_prefix(&[FORMAT]).ok_or(KeyringError::NotSealed)?;
    let (id, rest) = rest.split_first_chunk::<ID_BYTES>().ok_or(KeyringError::NotSealed)?;
    let (nonce, encrypted) = rest.split_at_checked(NONCE_BYTES).ok_or(KeyringError::NotSealed)?;
    if encrypted.len() < TAG_BYTES {
        return Err(KeyringError::NotSealed);
    }
    Ok((id, nonce, encrypted))
}

/// Each part with its length before it: no two triples give the same bytes.
fn associated_data(tenant: &str, endpoint: &str, field: &str) -> Vec<u8> {
    let mut data = Vec::with_capacity(24 + tenant.len() + endpoint.len() + field.len());
    for part in [tenant, endpoint, field] {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part.as_bytes());
    }
    data
}

#[cfg(test)]
mod tests;
