//! A receiver may say back what it was sent. An endpoint's own headers are secrets: what is kept of a response goes
//! without them.

use crate::Head;
use egress::Response;

const MASK: &str = "[secret]";
/// Shorter values are no secrets, and to take them out would spoil what they happen to occur in.
const SHORTEST: usize = 8;

impl Head {
    /// Takes the values of the endpoint's own headers out of a response: whole, without their scheme (`Bearer …`), with
    /// slashes as some JSON has them, and cut off at the end.
    pub fn mask(&self, response: &mut Response) {
        for secret in self.secrets() {
            for value in response.headers.values_mut() {
                if let Some(masked) = without(value.as_bytes(), secret.as_bytes()) {
                    *value = String::from_utf8_lossy(&masked).into_owned();
                }
            }
            if let Some(masked) = without(&response.body, secret.as_bytes()) {
                response.body = masked.into();
            }
        }
    }

    /// The longest first: one may hold another.
    fn secrets(&self) -> Vec<String> {
        let values = self.own().values().filter_map(|value| value.to_str().ok());
        let mut secrets: Vec<String> = values
            .flat_map(|value| [Some(value), value.rsplit_once(' ').map(|(_, last)| last)])
            .flatten()
            .flat_map(|value| [value.to_owned(), value.replace('/', "\\/")])
            .filter(|value| value.len() >= SHORTEST)
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
    }
}

/// None: it isn't in there.
fn without(bytes: &[u8], secret: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(secret.len()).position(|window| window == secret) {
        kept.extend_from_slice(&rest[..at]);
        kept.extend_from_slice(MASK.as_bytes());
        rest = &rest[at + secret.len()..];
    }
    let cut_off = (SHORTEST..secret.len())
        .rev()
        .find(|length| rest.ends_with(&secret[..*length]));
    kept.extend_from_slice(&rest[..rest.len() - cut_off.unwrap_or(0)]);
    if cut_off.is_some() {
        kept.extend_from_slice(MASK.as_bytes());
    }
    (kept != bytes).then_some(kept)
}

#[cfg(test)]
mod tests {
    //! Where a secret is found.
    use super::*;
    use egress::Response;
    use http::StatusCode;
    use ledger::{Keyring, entities, seal_header};

    #[test]
    fn a_secret_goes_wherever_it_stands_and_all_else_stays() {
        let masked = |body: &str| {
            let kept = without(body.as_bytes(), b"s3cr3t-t0ken");
            kept.map(|kept| String::from_utf8(kept).expect("text"))
        };
        let twice = r#"{"a":"s3cr3t-t0ken","b":"s3cr3t-t0ken"}"#;
        assert_eq!(masked(twice).as_deref(), Some(r#"{"a":"[secret]","b":"[secret]"}"#));
        assert_eq!(masked("s3cr3t-t0ken").as_deref(), Some("[secret]"));
        assert_eq!(
            masked("it was s3cr3t-t0k").as_deref(),
            Some("it was [secret]"),
            "cut off"
        );
        assert_eq!(masked("s3cr3t-t0ken s3cr3t-t").as_deref(), Some("[secret] [secret]"));
        assert_eq!(masked("nothing of s3cr3t"), None);
        assert_eq!(masked(""), None);
        // Its end is its beginning once more.
        let kept = without(b"abcdefgh-abcdefgh", b"abcdefgh-abcdefgh");
        assert_eq!(kept.as_deref(), Some(MASK.as_bytes()));
    }

    #[test]
    fn a_response_that_repeats_own_headers_is_kept_without_them() {
        let keyring = Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid");
        let mut endpoint = entities::new_endpoint("org_1", "https://example.com", vec!["*".into()], 1);
        for (name, value) in [
            ("authorization", "Bearer abcd/efgh+1234"),
            ("x-key", "abcd/efgh+1234-and-more"),
            ("x-short", "1"),
        ] {
            seal_header(&mut endpoint, &keyring, name, value);
        }
        let mut response = Response {
            status: StatusCode::OK,
            headers: [("x-echo".to_owned(), "abcd/efgh+1234".to_owned())].into(),
            retry_after: None,
            body: br#"{"n":1,"a":"Bearer abcd\/efgh+1234","k":"abcd/efgh+1234-and-more"}"#
                .to_vec()
                .into(),
        };
        Head::new(&endpoint, "webhook-", &keyring).mask(&mut response);
        assert_eq!(response.headers["x-echo"], MASK);
        let body = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(body, r#"{"n":1,"a":"[secret]","k":"[secret]"}"#);
    }
}
