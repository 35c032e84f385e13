//! Scheme `v1a` of Standard Webhooks ("Signature scheme", asymmetric): ed25519 of `id.timestamp.body`.

use crate::{
    key::{PublicKey, SigningKey},
    verify::{VerifyError, check_timestamp, signatures_of},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer};

/// Adds one `v1a,<base64>` per key, in their order.
pub(crate) fn push_v1a(header: &mut String, id: &str, timestamp_s: i64, body: &[u8], keys: &[&SigningKey]) {
    let message = message(id, &timestamp_s.to_string(), body);
    for key in keys {
        if !header.is_empty() {
            header.push(' ');
        }
        header.push_str("v1a,");
        STANDARD.encode_string(key.0.sign(&message).to_bytes(), header);
    }
}

/// Verifies a request as a receiver does that holds public keys alone: any `v1a` signature that fits any of them is
/// enough. Weak keys and signatures that more than one text could have are refused.
///
/// # Errors
/// [`VerifyError`]: treat the request as forged.
pub fn verify_v1a(
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    keys: &[PublicKey],
    now_s: i64,
    tolerance_s: i64,
) -> Result<(), VerifyError> {
    check_timestamp(timestamp, now_s, tolerance_s)?;
    let message = message(id, timestamp, body);
    let given = signatures_of(signatures, "v1a,");
    let fits = given
        .iter()
        .filter_map(|bytes| Signature::from_slice(bytes).ok())
        .any(|signature| keys.iter().any(|key| key.0.verify_strict(&message, &signature).is_ok()));
    if fits { Ok(()) } else { Err(VerifyError::Signature) }
}

fn message(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scheme, SigningSecret, sign, sign_v1};

    /// The vector that the Svix server publishes with its tests. Ed25519 is deterministic, so equal means conforming.
    const KEY: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    const PUBLIC: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP_S: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str =
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

    fn key() -> SigningKey {
        SigningKey::parse(KEY).expect("the published key is well-formed")
    }

    fn check(id: &str, signatures: &str, body: &[u8], keys: &[PublicKey], now_s: i64) -> Result<(), VerifyError> {
        verify_v1a(id, &TIMESTAMP_S.to_string(), signatures, body, keys, now_s, 300)
    }

    #[test]
    fn equals_the_published_vector() {
        let signature = sign(Scheme::V1a, ID, TIMESTAMP_S, BODY, &[], &[&key()]);
        assert_eq!(signature.as_deref(), Some(SIGNATURE));
        assert_eq!(key().public_key().to_string(), PUBLIC);
        let public = PublicKey::parse(PUBLIC).expect("the published key is well-formed");
        assert_eq!(check(ID, SIGNATURE, BODY, &[public], TIMESTAMP_S), Ok(()));
    }

    /// RFC 8032, section 7.1, test 3.
    #[test]
    fn the_primitive_equals_the_rfc() {
        let bytes = |text: &str| -> Vec<u8> {
            (0..text.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex"))
                .collect()
        };
        let seed = bytes("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
        let key = SigningKey::parse(&format!("whsk_{}", STANDARD.encode(seed))).expect("a seed");
        let expected = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
                        18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";
        assert_eq!(key.0.sign(&bytes("af82")).to_bytes().as_slice(), bytes(expected));
    }

    #[test]
    fn one_fitting_signature_among_others_is_enough() {
        let stranger = SigningKey::generate();
        let signatures = format!("v1,abc v1a,!! v1a, v1a,AAAA {SIGNATURE}");
        let keys = [stranger.public_key(), key().public_key()];
        assert_eq!(check(ID, &signatures, BODY, &keys, TIMESTAMP_S), Ok(()));
    }

    #[test]
    fn refuses_forgeries() {
        let public = [key().public_key()];
        let forged = sign(Scheme::V1a, ID, TIMESTAMP_S, BODY, &[], &[&SigningKey::generate()]).expect("a key signs");
        let hmac = sign_v1(ID, TIMESTAMP_S, BODY, &[&SigningSecret::generate()]);
        let refused = Err(VerifyError::Signature);
        for signatures in [
            "",
            "v1a,",
            &SIGNATURE[..60],
            &SIGNATURE.replace("v1a", "v1"),
            &forged,
            &hmac,
        ] {
            assert_eq!(
                check(ID, signatures, BODY, &public, TIMESTAMP_S),
                refused,
                "{signatures}"
            );
        }
        assert_eq!(check("msg", SIGNATURE, BODY, &public, TIMESTAMP_S), refused);
        assert_eq!(check(ID, SIGNATURE, b"{}", &public, TIMESTAMP_S), refused);
        assert_eq!(check(ID, SIGNATURE, BODY, &[], TIMESTAMP_S), refused);
        let late = check(ID, SIGNATURE, BODY, &public, TIMESTAMP_S + 301);
        assert_eq!(late, Err(VerifyError::Tolerance));
    }
}
