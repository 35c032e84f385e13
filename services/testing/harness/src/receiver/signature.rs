//! Whether a request is signed as Standard Webhooks says, judged by the `standardwebhooks` crate and, for `v1a`, which it
//! doesn't know, by an ed25519 library; by nothing of ours.

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use http::HeaderMap;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

const PUBLIC_KEY_PREFIX: &str = "whpk_";
/// As the crate has it.
const TOLERANCE_SEC: i64 = 300;

/// What a receiver was given to verify with.
pub(super) struct Expected {
    pub(super) header_prefix: String,
    /// Every one of them must have signed: during a rotation the new and the old.
    secrets: Vec<Webhook>,
    /// The same, of `v1a`.
    public_keys: Vec<VerifyingKey>,
}

impl Expected {
    /// `signers`: `whsec_…` or `whpk_…`.
    pub(super) fn new(header_prefix: &str, signers: &[String]) -> anyhow::Result<Self> {
        let (mut secrets, mut public_keys) = (Vec::new(), Vec::new());
        for signer in signers {
            match signer.strip_prefix(PUBLIC_KEY_PREFIX) {
                None => secrets.push(Webhook::new(signer)?),
                Some(key) => {
                    let bytes = STANDARD.decode(key)?.try_into().ok();
                    let bytes = bytes.context("a public key has 32 bytes")?;
                    public_keys.push(VerifyingKey::from_bytes(&bytes)?);
                }
            }
        }
        Ok(Self {
            header_prefix: header_prefix.to_owned(),
            secrets,
            public_keys,
        })
    }

    /// A header of the delivery's, by its name without the prefix.
    pub(super) fn header<'a>(&self, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        headers.get(format!("{}{name}", self.header_prefix))?.to_str().ok()
    }

    /// Signed by each secret and key, with no signature beside, and a timestamp of now.
    pub(super) fn accepts(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let mut standard = HeaderMap::new();
        for (name, theirs) in [
            (HEADER_WEBHOOK_ID, "id"),
            (HEADER_WEBHOOK_TIMESTAMP, "timestamp"),
            (HEADER_WEBHOOK_SIGNATURE, "signature"),
        ] {
            let Some(value) = headers.get(format!("{}{theirs}", self.header_prefix)) else {
                return false;
            };
            standard.insert(name, value.clone());
        }
        let signatures = self
            .header(headers, "signature")
            .map_or(0, |value| value.split(' ').count());
        let expected = self.secrets.len() + self.public_keys.len();
        expected > 0
            && signatures == expected
            && self.secrets.iter().all(|secret| secret.verify(body, &standard).is_ok())
            && self.public_keys.iter().all(|key| self.has_signed(key, headers, body))
    }

    fn has_signed(&self, key: &VerifyingKey, headers: &HeaderMap, body: &[u8]) -> bool {
        let text = |name| self.header(headers, name).unwrap_or_default();
        let is_of_now = text("timestamp").parse().is_ok_and(|at: i64| {
            let now_sec = runtime::clock::now_ms() / 1000;
            (now_sec - at).abs() <= TOLERANCE_SEC
        });
        let mut content = format!("{}.{}.", text("id"), text("timestamp")).into_bytes();
        content.extend_from_slice(body);
        let fits = |signature: &str| {
            let encoded = signature.strip_prefix("v1a,")?;
            let signature = Signature::from_slice(&STANDARD.decode(encoded).ok()?).ok()?;
            key.verify_strict(&content, &signature).ok()
        };
        is_of_now && text("signature").split(' ').any(|signature| fits(signature).is_some())
    }
}

#[cfg(test)]
mod tests {
    //! With signatures of the crate's own.
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn signed(prefix: &str, body: &str, secrets: &[&str]) -> HeaderMap {
        let now_s = runtime::clock::now_ms() / 1000;
        let signatures = secrets.iter().map(|secret| {
            let secret = Webhook::new(secret).expect("a secret");
            secret
                .sign("dlv_1", now_s, body.as_bytes())
                .expect("text can be signed")
        });
        let signatures: Vec<_> = signatures.collect();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("id", "dlv_1"),
            ("timestamp", &now_s.to_string()),
            ("signature", &signatures.join(" ")),
        ] {
            let name: http::HeaderName = format!("{prefix}{name}").parse().expect("a header name");
            headers.insert(name, value.parse().expect("a header value"));
        }
        headers
    }

    fn expected(prefix: &str, secrets: &[&str]) -> Expected {
        let secrets: Vec<_> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        Expected::new(prefix, &secrets).expect("secrets")
    }

    #[test]
    fn every_secret_must_have_signed() {
        let both = signed("case-webhook-", "{}", &[SECRET, OTHER]);
        assert!(expected("case-webhook-", &[SECRET, OTHER]).accepts(&both, b"{}"));
        assert!(
            !expected("webhook-", &[SECRET, OTHER]).accepts(&both, b"{}"),
            "another prefix"
        );
        assert!(
            !expected("case-webhook-", &[SECRET]).accepts(&both, b"{}"),
            "one signature too many"
        );
        let one = signed("webhook-", "{}", &[SECRET]);
        assert!(expected("webhook-", &[SECRET]).accepts(&one, b"{}"));
        assert!(!expected("webhook-", &[SECRET]).accepts(&one, b"{ }"), "another body");
        assert!(
            !expected("webhook-", &[SECRET, OTHER]).accepts(&one, b"{}"),
            "the old one is missing"
        );
        assert!(!expected("webhook-", &[OTHER]).accepts(&one, b"{}"), "another secret");
        assert!(
            !expected("webhook-", &[]).accepts(&one, b"{}"),
            "nothing to verify with"
        );
    }

    #[test]
    fn a_public_key_verifies_what_its_private_half_signed() {
        use ed25519_dalek::{Signer, SigningKey};
        let pair = SigningKey::from_bytes(&[7; 32]);
        let public = format!("whpk_{}", STANDARD.encode(pair.verifying_key().as_bytes()));
        let now_s = runtime::clock::now_ms() / 1000;
        let headers = |signed: &str, timestamp: i64| {
            let signature = STANDARD.encode(pair.sign(signed.as_bytes()).to_bytes());
            let mut headers = HeaderMap::new();
            headers.insert("webhook-id", "dlv_1".parse().expect("a header value"));
            headers.insert("webhook-timestamp", timestamp.into());
            let value = format!("v1a,{signature}").parse().expect("a header value");
            headers.insert("webhook-signature", value);
            headers
        };
        let good = headers(&format!("dlv_1.{now_s}.{{}}"), now_s);
        assert!(expected("webhook-", &[&public]).accepts(&good, b"{}"));
        assert!(!expected("webhook-", &[&public]).accepts(&good, b"{ }"), "another body");
        assert!(
            !expected("webhook-", &[&public, SECRET]).accepts(&good, b"{}"),
            "the secret's signature is missing"
        );
        let old = now_s - 2 * TOLERANCE_SEC;
        let old = headers(&format!("dlv_1.{old}.{{}}"), old);
        assert!(!expected("webhook-", &[&public]).accepts(&old, b"{}"), "too old");
    }
}
