//! Whether a request is signed as Standard Webhooks says, and if not, why: in words for whoever writes a receiver.

use axum::http::HeaderMap;
use signing::{PublicKey, SigningSecret, VerifyError};

/// How far a timestamp may be from this clock, as Standard Webhooks' libraries have it.
const TOLERANCE_SEC: i64 = 300;
const SIGNATURE: &str = "signature";
const USUAL_PREFIX: &str = "webhook-";

/// What requests are verified with.
pub struct Verifier {
    pub secrets: Vec<SigningSecret>,
    pub keys: Vec<PublicKey>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// There was nothing to verify with.
    Unchecked,
    /// By which schemes.
    Verified(Vec<&'static str>),
    /// Why.
    Refused(String),
}

/// What the headers say.
struct Claim<'a> {
    prefix: String,
    id: &'a str,
    timestamp: &'a str,
    signatures: &'a str,
}

impl Verifier {
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty() && self.keys.is_empty()
    }

    pub fn judge(&self, headers: &HeaderMap, body: &[u8], now_s: i64) -> Verdict {
        if self.is_empty() {
            return Verdict::Unchecked;
        }
        match claim(headers).and_then(|claim| self.verify(&claim, body, now_s)) {
            Ok(schemes) => Verdict::Verified(schemes),
            Err(reason) => Verdict::Refused(reason),
        }
    }

    fn verify(&self, claim: &Claim<'_>, body: &[u8], now_s: i64) -> Result<Vec<&'static str>, String> {
        let has = |version: &str| claim.signatures.split(' ').any(|one| one.starts_with(version));
        let Claim {
            id,
            timestamp,
            signatures,
            ..
        } = *claim;
        let mut schemes = Vec::new();
        if !self.secrets.is_empty() && has("v1,") {
            let secrets: Vec<_> = self.secrets.iter().collect();
            let verified = signing::verify(id, timestamp, signatures, body, &secrets, now_s, TOLERANCE_SEC);
            verified.map_err(|error| why(error, claim, now_s, "v1", "the secret"))?;
            schemes.push("v1");
        }
        if !self.keys.is_empty() && has("v1a,") {
            let verified = signing::verify_v1a(id, timestamp, signatures, body, &self.keys, now_s, TOLERANCE_SEC);
            verified.map_err(|error| why(error, claim, now_s, "v1a", "the public key"))?;
            schemes.push("v1a");
        }
        if !schemes.is_empty() {
            return Ok(schemes);
        }
        Err(match (has("v1,"), has("v1a,")) {
            (true, _) => "it is signed with v1 alone: give the endpoint's secret with --secret".to_owned(),
            (_, true) => "it is signed with v1a alone: give the endpoint's public key with --public-key".to_owned(),
            _ => format!("{}{SIGNATURE} holds neither a v1 nor a v1a signature", claim.prefix),
        })
    }
}

fn why(error: VerifyError, claim: &Claim<'_>, now_s: i64, scheme: &str, what: &str) -> String {
    let Claim { prefix, timestamp, .. } = claim;
    match error {
        VerifyError::Timestamp => format!("{prefix}timestamp is no number of seconds"),
        VerifyError::Tolerance => {
            let off_s = timestamp.parse::<i64>().unwrap_or_default() - now_s;
            let (by, which) = if off_s > 0 {
                (off_s, "ahead of")
            } else {
                (-off_s, "behind")
            };
            format!(
                "{prefix}timestamp is {by} s {which} this machine's clock, and {TOLERANCE_SEC} s are allowed: an old \
                 request that was sent again, or a clock that is wrong"
            )
        }
        VerifyError::Signature => format!(
            "no {scheme} signature fits: {what} is not this endpoint's (or not any more, after a rotation), or something \
             on the way changed the body or {prefix}id"
        ),
    }
}

/// The three headers, whatever their prefix.
fn claim(headers: &HeaderMap) -> Result<Claim<'_>, String> {
    let has = |name: &str| headers.contains_key(name);
    let prefixes: Vec<&str> = headers
        .keys()
        .filter_map(|name| name.as_str().strip_suffix(SIGNATURE))
        .filter(|prefix| prefix.ends_with('-'))
        .collect();
    let complete = prefixes
        .iter()
        .find(|prefix| has(&format!("{prefix}id")) && has(&format!("{prefix}timestamp")));
    let prefix = match (complete, prefixes.first()) {
        (Some(prefix), _) => (*prefix).to_owned(),
        (None, Some(prefix)) => (*prefix).to_owned(),
        (None, None) => USUAL_PREFIX.to_owned(),
    };
    let text = |name: &str| {
        let name = format!("{prefix}{name}");
        let value = headers.get(&name).ok_or_else(|| format!("it has no header {name}"))?;
        value.to_str().map_err(|_| format!("{name} is no text"))
    };
    Ok(Claim {
        signatures: text(SIGNATURE)?,
        id: text("id")?,
        timestamp: text("timestamp")?,
        prefix: prefix.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;
    use signing::{Scheme, SigningKey};

    const NOW_S: i64 = 1_795_255_200;
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;

    struct Signer {
        secret: SigningSecret,
        key: SigningKey,
    }

    impl Signer {
        fn new() -> Self {
            Self {
                secret: SigningSecret::generate(),
                key: SigningKey::generate(),
            }
        }

        fn headers(&self, prefix: &str, scheme: Scheme, timestamp_s: i64) -> HeaderMap {
            let signature = signing::sign(scheme, "dlv_1", timestamp_s, BODY, &[&self.secret], &[&self.key]);
            let values = [
                ("id", "dlv_1".to_owned()),
                ("timestamp", timestamp_s.to_string()),
                ("signature", signature.expect("there is a secret and a key")),
            ];
            let header = |(name, value): (&str, String)| {
                let name: HeaderName = format!("{prefix}{name}").parse().expect("a name");
                (name, value.parse().expect("a value"))
            };
            values.into_iter().map(header).collect()
        }
    }

    fn by_secret(signer: &Signer) -> Verifier {
        Verifier {
            secrets: vec![signer.secret.clone()],
            keys: Vec::new(),
        }
    }

    fn refused(verdict: Verdict) -> String {
        match verdict {
            Verdict::Refused(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn either_scheme_verifies_under_any_prefix() {
        let signer = Signer::new();
        let by_both = Verifier {
            keys: vec![signer.key.public_key()],
            ..by_secret(&signer)
        };
        for (prefix, scheme, schemes) in [
            ("webhook-", Scheme::V1, vec!["v1"]),
            ("case-webhook-", Scheme::V1a, vec!["v1a"]),
            ("webhook-", Scheme::Both, vec!["v1", "v1a"]),
        ] {
            let headers = signer.headers(prefix, scheme, NOW_S);
            assert_eq!(by_both.judge(&headers, BODY, NOW_S), Verdict::Verified(schemes));
        }
        let nothing = Verifier {
            secrets: Vec::new(),
            keys: Vec::new(),
        };
        assert_eq!(nothing.judge(&HeaderMap::new(), BODY, NOW_S), Verdict::Unchecked);
    }

    #[test]
    fn a_refusal_says_why() {
        let (signer, other) = (Signer::new(), Signer::new());
        let verifier = by_secret(&signer);
        let judge = |headers: &HeaderMap, body: &[u8]| refused(verifier.judge(headers, body, NOW_S));
        let good = signer.headers("webhook-", Scheme::V1, NOW_S);
        assert!(judge(&good, b"{}").contains("changed the body"));
        assert!(judge(&other.headers("webhook-", Scheme::V1, NOW_S), BODY).contains("not this endpoint's"));
        assert!(judge(&signer.headers("webhook-", Scheme::V1a, NOW_S), BODY).contains("--public-key"));
        assert!(judge(&signer.headers("webhook-", Scheme::V1, NOW_S - 400), BODY).contains("400 s behind"));
        assert!(judge(&signer.headers("webhook-", Scheme::V1, NOW_S + 301), BODY).contains("301 s ahead of"));
        assert_eq!(judge(&HeaderMap::new(), BODY), "it has no header webhook-signature");
        let mut without_id = good.clone();
        without_id.remove("webhook-id");
        assert_eq!(judge(&without_id, BODY), "it has no header webhook-id");
        let mut odd = good.clone();
        odd.insert("webhook-signature", "v2,abc".parse().expect("a value"));
        assert!(judge(&odd, BODY).contains("neither a v1 nor a v1a"));
        odd.insert("webhook-signature", "v1,abc".parse().expect("a value"));
        odd.insert("webhook-timestamp", "now".parse().expect("a value"));
        assert!(judge(&odd, BODY).contains("no number of seconds"));
    }
}
