//! Whether a request is signed as Standard Webhooks says, judged by the `standardwebhooks` crate and by nothing of ours.

use http::HeaderMap;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

/// What a receiver was given to verify with.
pub(super) struct Expected {
    pub(super) header_prefix: String,
    /// Every one of them must have signed: during a rotation the new and the old.
    secrets: Vec<Webhook>,
}

impl Expected {
    pub(super) fn new(header_prefix: &str, secrets: &[String]) -> anyhow::Result<Self> {
        let secrets = secrets
            .iter()
            .map(|secret| Webhook::new(secret))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            header_prefix: header_prefix.to_owned(),
            secrets,
        })
    }

    /// A header of the delivery's, by its name without the prefix.
    pub(super) fn header<'a>(&self, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        headers.get(format!("{}{name}", self.header_prefix))?.to_str().ok()
    }

    /// Signed by each secret, with no signature beside, and a timestamp of now.
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
        !self.secrets.is_empty()
            && signatures == self.secrets.len()
            && self.secrets.iter().all(|secret| secret.verify(body, &standard).is_ok())
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
}
