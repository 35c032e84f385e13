//! Scheme `v1` of Standard Webhooks ("Signature scheme", "Verifying webhook authenticity"): HMAC-SHA256 of
//! `id.timestamp.body`.

use crate::{
    secret::SigningSecret,
    verify::{VerifyError, check_timestamp, signatures_of},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The value of the signature header: one `v1,<base64>` per secret, space-separated, in their order. During a rotation
/// that is the new secret's, then the old one's. `timestamp_s` is the attempt's time, Unix seconds.
#[must_use]
pub fn sign_v1(id: &str, timestamp_s: i64, body: &[u8], secrets: &[&SigningSecret]) -> String {
    let timestamp = timestamp_s.to_string();
    let mut header = String::with_capacity(secrets.len() * 48);
    for secret in secrets {
        if !header.is_empty() {
            header.push(' ');
        }
        header.push_str("v1,");
        let code = mac(secret, id, &timestamp, body).finalize().into_bytes();
        STANDARD.encode_string(code, &mut header);
    }
    header
}

/// Verifies a request as a receiver does: the texts of the three headers, and the body exactly as it came. Any `v1`
/// signature that fits any of the secrets is enough; the comparison takes constant time.
///
/// # Errors
/// [`VerifyError`]: treat the request as forged.
pub fn verify(
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    secrets: &[&SigningSecret],
    now_s: i64,
    tolerance_s: i64,
) -> Result<(), VerifyError> {
    check_timestamp(timestamp, now_s, tolerance_s)?;
    let given = signatures_of(signatures, "v1,");
    let fits = secrets.iter().any(|secret| {
        let expected = mac(secret, id, timestamp, body);
        given.iter().any(|code| expected.clone().verify_slice(code).is_ok())
    });
    if fits { Ok(()) } else { Err(VerifyError::Signature) }
}

fn mac(secret: &SigningSecret, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = secret.hmac();
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP_S: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secret() -> SigningSecret {
        SigningSecret::parse(SECRET).expect("the published secret is well-formed")
    }

    fn check(signatures: &str, secrets: &[&SigningSecret], now_s: i64) -> Result<(), VerifyError> {
        verify(ID, &TIMESTAMP_S.to_string(), signatures, BODY, secrets, now_s, 300)
    }

    #[test]
    fn equals_the_published_vector() {
        assert_eq!(sign_v1(ID, TIMESTAMP_S, BODY, &[&secret()]), SIGNATURE);
        assert_eq!(check(SIGNATURE, &[&secret()], TIMESTAMP_S), Ok(()));
    }

    #[test]
    fn the_standardwebhooks_crate_verifies_ours_also_during_a_rotation() {
        let now_s = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("the clock is past 1970")
            .as_secs();
        let now_s = i64::try_from(now_s).expect("seconds fit");
        let (new, old) = (SigningSecret::generate(), SigningSecret::generate());
        let signature = sign_v1(ID, now_s, BODY, &[&new, &old]);
        let mut headers = http::HeaderMap::new();
        for (name, value) in [
            ("webhook-id", ID),
            ("webhook-timestamp", &now_s.to_string()),
            ("webhook-signature", &signature),
        ] {
            headers.insert(name, value.parse().expect("a header value"));
        }
        for secret in [&new, &old] {
            let receiver = standardwebhooks::Webhook::new(&secret.expose()).expect("it reads our secrets");
            receiver.verify(BODY, &headers).expect("it verifies our signatures");
            assert!(receiver.verify(b"{}", &headers).is_err(), "another body");
        }
        let stranger = standardwebhooks::Webhook::new(&SigningSecret::generate().expose()).expect("a secret");
        assert!(stranger.verify(BODY, &headers).is_err());
    }

    #[test]
    fn one_fitting_signature_among_others_is_enough() {
        let signatures = format!("v1a,abc v2,x v1,!! {SIGNATURE} v1,");
        assert_eq!(
            check(&signatures, &[&SigningSecret::generate(), &secret()], TIMESTAMP_S),
            Ok(())
        );
    }

    #[test]
    fn refuses_forgeries() {
        let forged = sign_v1(ID, TIMESTAMP_S, BODY, &[&SigningSecret::generate()]);
        for signatures in [
            "",
            "v1,",
            &SIGNATURE[3..],
            &SIGNATURE.replace("v1", "v2"),
            &forged,
            &SIGNATURE[..20],
        ] {
            assert_eq!(
                check(signatures, &[&secret()], TIMESTAMP_S),
                Err(VerifyError::Signature),
                "{signatures}"
            );
        }
        assert_eq!(check(SIGNATURE, &[], TIMESTAMP_S), Err(VerifyError::Signature));
        let other_id = verify(
            "msg",
            &TIMESTAMP_S.to_string(),
            SIGNATURE,
            BODY,
            &[&secret()],
            TIMESTAMP_S,
            300,
        );
        assert_eq!(other_id, Err(VerifyError::Signature));
    }

    #[test]
    fn refuses_a_timestamp_out_of_tolerance() {
        for (now_s, expected) in [
            (TIMESTAMP_S + 300, Ok(())),
            (TIMESTAMP_S - 300, Ok(())),
            (TIMESTAMP_S + 301, Err(VerifyError::Tolerance)),
            (TIMESTAMP_S - 301, Err(VerifyError::Tolerance)),
        ] {
            assert_eq!(check(SIGNATURE, &[&secret()], now_s), expected, "{now_s}");
        }
        assert_eq!(
            verify(ID, "soon", SIGNATURE, BODY, &[&secret()], 0, 300),
            Err(VerifyError::Timestamp)
        );
    }
}
