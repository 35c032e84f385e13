//! The headers of a request.

use crate::{
    names::Names,
    signers::{Signers, opened},
};
use delivery_core::reserved_headers::is_reserved;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use ledger::Keyring;
use schemas::Endpoint;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// An endpoint's part of its requests' headers: decrypted, ready for many requests. It holds secrets, so it has no `Debug`.
pub struct Head {
    names: Names,
    /// The endpoint's own headers; none that is Hookline's or the connection's.
    own: HeaderMap,
    signers: Signers,
}

/// One request's part.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub delivery_id: &'a str,
    pub event_id: &'a str,
    /// What is signed, and sent byte for byte.
    pub body: &'a [u8],
    pub content_type: &'a str,
    /// From 1.
    pub attempt: i32,
    pub is_replay: bool,
    pub traceparent: Option<&'a str>,
    /// Of the attempt, Unix milliseconds.
    pub now_ms: i64,
}

impl Head {
    /// `prefix`: of the tenant's deliveries, such as `webhook-`. What can't be decrypted is logged and left out; without all
    /// that its scheme signs with, old secrets included until they expire, nothing is sent.
    #[must_use]
    pub fn new(endpoint: &Endpoint, prefix: &str, keyring: &Keyring) -> Self {
        Self {
            names: Names::new(prefix),
            own: own_headers(endpoint, prefix, keyring),
            signers: Signers::new(endpoint, keyring),
        }
    }

    pub(crate) fn own(&self) -> &HeaderMap {
        &self.own
    }

    /// From when on there is all that its scheme signs with, Unix milliseconds: the expiry of the last old secret that can't
    /// be used, the least number when all can. None: never.
    #[must_use]
    pub fn signs_from_ms(&self) -> Option<i64> {
        self.signers.signs_from_ms()
    }

    /// The endpoint's own headers, then Hookline's over them, signed for the current secret first, then for each old one that
    /// is valid. None: it can't be signed in full, so it may not be sent.
    #[must_use]
    pub fn headers(&self, about: About<'_>) -> Option<HeaderMap> {
        let signature = self.signers.sign(about.delivery_id, about.body, about.now_ms)?;
        let names = &self.names;
        let mut headers = self.own.clone();
        let mut set = |name: &HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.insert(name.clone(), value);
            }
        };
        set(&header::CONTENT_TYPE, about.content_type);
        set(&header::USER_AGENT, concat!("Hookline/", env!("CARGO_PKG_VERSION")));
        set(&names.id, about.delivery_id);
        set(&names.event_id, about.event_id);
        set(&names.timestamp, &(about.now_ms / 1000).to_string());
        set(&names.signature, &signature);
        set(&names.attempt, &about.attempt.to_string());
        if about.is_replay {
            set(&names.replay, "true");
        }
        if let Some(traceparent) = about.traceparent {
            set(&TRACEPARENT, traceparent);
        }
        Some(headers)
    }
}

fn own_headers(endpoint: &Endpoint, prefix: &str, keyring: &Keyring) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if endpoint.status == "deleted" {
        return headers;
    }
    for (name, sealed) in &endpoint.headers {
        let field = format!("header:{}", name.to_ascii_lowercase());
        let Some(value) = opened(endpoint, keyring, sealed, &field) else {
            continue;
        };
        if let (Ok(name), Ok(mut value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value))
            && !is_reserved(name.as_str(), prefix)
        {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::{entities, seal_header, seal_signing_secret};
    use signing::SigningSecret;

    const ABOUT: About<'_> = About {
        delivery_id: "dlv_1",
        event_id: "evt_1",
        body: b"{}",
        content_type: "application/json",
        attempt: 1,
        is_replay: false,
        traceparent: None,
        now_ms: 1_795_255_200_000,
    };

    fn endpoint(keyring: &Keyring) -> (Endpoint, SigningSecret) {
        let mut endpoint = entities::new_endpoint("org_1", "https://example.com", vec!["*".into()], 1);
        let secret = SigningSecret::generate();
        seal_signing_secret(&mut endpoint, keyring, &secret.expose());
        (endpoint, secret)
    }

    #[test]
    fn own_headers_cannot_override_ours_and_the_signature_verifies() {
        let keyring = Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid");
        let (mut endpoint, secret) = endpoint(&keyring);
        for (name, value) in [("x-own", "1"), ("case-webhook-id", "forged"), ("user-agent", "forged")] {
            seal_header(&mut endpoint, &keyring, name, value);
        }
        let headers = Head::new(&endpoint, "case-webhook-", &keyring)
            .headers(ABOUT)
            .expect("it can be signed");
        assert_eq!(
            (&headers["x-own"], &headers["case-webhook-id"]),
            (&"1".parse().expect("text"), &"dlv_1".parse().expect("text"))
        );
        assert!(headers["user-agent"].as_bytes().starts_with(b"Hookline/"));
        let signature = headers["case-webhook-signature"].to_str().expect("text");
        let now_s = ABOUT.now_ms / 1000;
        signing::verify("dlv_1", &now_s.to_string(), signature, b"{}", &[&secret], now_s, 300).expect("it verifies");
        assert!(!headers.contains_key("case-webhook-replay") && !headers.contains_key("traceparent"));
    }

    #[test]
    fn what_cannot_be_signed_in_full_has_no_headers() {
        let keyring = Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid");
        let other = Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid");
        let (mut endpoint, _) = endpoint(&keyring);
        assert_eq!(Head::new(&endpoint, "webhook-", &other).signs_from_ms(), None);
        endpoint.signature_scheme = "both".into();
        let head = Head::new(&endpoint, "webhook-", &keyring);
        assert!(head.signs_from_ms().is_none() && head.headers(ABOUT).is_none());
    }
}
