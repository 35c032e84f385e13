//! An endpoint's own headers: which names it may have, which values are shown, and sealing them.

use crate::Problem;
use delivery_core::reserved_headers::is_reserved;
use egress::{HeaderName, HeaderValue};
use ledger::Keyring;
use schemas::Endpoint;
use std::collections::BTreeMap;

/// What stands for a value that is not shown.
pub const REDACTED: &str = "[redacted]";
/// Most headers of an endpoint.
pub const MAX_HEADERS: usize = 20;
const MAX_NAME_CHARS: usize = 64;
const MAX_VALUE_CHARS: usize = 1024;

/// Whether the value of the header of this name is never shown.
#[must_use]
pub fn is_redacted(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_one = ["authorization", "proxy-authorization", "cookie"].contains(&name.as_str());
    is_one || ["key", "token", "secret"].iter().any(|word| name.contains(word))
}

/// Name and value of a header, when they can be one.
///
/// # Errors
/// In words that don't repeat the value: it may be a secret.
pub fn parse_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    if name.len() > MAX_NAME_CHARS || value.chars().count() > MAX_VALUE_CHARS {
        return Err(format!(
            "a name has at most {MAX_NAME_CHARS} characters, a value {MAX_VALUE_CHARS}"
        ));
    }
    let name: HeaderName = name.parse().map_err(|_| "that is no header's name".to_owned())?;
    let unusable = "that can't be a header's value: use visible ASCII characters";
    let mut value: HeaderValue = value.parse().map_err(|_| unusable.to_owned())?;
    if value.to_str().is_err() {
        return Err(unusable.to_owned());
    }
    value.set_sensitive(true);
    Ok((name, value))
}

/// Replaces all of the endpoint's headers. `prefix` is that of the tenant's deliveries. Changes nothing when something is
/// wrong.
pub(crate) fn replace(
    endpoint: &mut Endpoint,
    wanted: &BTreeMap<String, String>,
    prefix: &str,
    keyring: &Keyring,
) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    let mut replaced = Endpoint {
        headers: BTreeMap::new(),
        ..endpoint.clone()
    };
    if wanted.len() > MAX_HEADERS {
        let message = format!("an endpoint has at most {MAX_HEADERS} headers");
        return Err(vec![Problem::new("headers", message)]);
    }
    for (name, value) in wanted {
        let path = format!("headers.{name}");
        let (name, value) = match parse_header(name, value) {
            Ok(parsed) => parsed,
            Err(message) => {
                problems.push(Problem::new(path, message));
                continue;
            }
        };
        let (name, value) = (name.as_str(), value.to_str().unwrap_or_default());
        if is_reserved(name, prefix) {
            problems.push(Problem::new(
                path,
                format!("{name} is set by Hookline itself; leave it out"),
            ));
        } else if replaced.headers.contains_key(name) {
            problems.push(Problem::new(path, "this header is given twice"));
        } else if value == REDACTED && is_redacted(name) {
            match endpoint.headers.get(name) {
                Some(sealed) => drop(replaced.headers.insert(name.to_owned(), sealed.clone())),
                None => problems.push(Problem::new(path, "there is no value to keep; give one")),
            }
        } else {
            ledger::seal_header(&mut replaced, keyring, name, value);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    endpoint.headers = replaced.headers;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::{entities, open_headers};

    fn keyring() -> Keyring {
        Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid")
    }

    fn wanted(headers: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        headers.iter().map(owned).collect()
    }

    #[test]
    fn what_is_answered_redacted_keeps_its_value_when_it_is_sent_back() {
        let keyring = keyring();
        let mut endpoint = entities::new_endpoint("org_1", "https://example.com", vec!["*".into()], 1);
        let first = wanted(&[("Authorization", "Bearer abc"), ("X-Team", "blue")]);
        replace(&mut endpoint, &first, "webhook-", &keyring).expect("both are taken");
        let again = wanted(&[("authorization", REDACTED), ("x-team", REDACTED)]);
        replace(&mut endpoint, &again, "webhook-", &keyring).expect("both are taken");
        let open = open_headers(&endpoint, &keyring).expect("they open");
        assert_eq!(open, wanted(&[("authorization", "Bearer abc"), ("x-team", REDACTED)]));
        replace(&mut endpoint, &wanted(&[]), "webhook-", &keyring).expect("none is fine");
        assert!(endpoint.headers.is_empty());
    }

    #[test]
    fn all_that_is_wrong_is_said_and_nothing_changes() {
        let mut endpoint = entities::new_endpoint("org_1", "https://example.com", vec!["*".into()], 1);
        let bad = [
            ("Webhook-Id", "1"),
            ("a b", "1"),
            ("x-lines", "a\r\nb: c"),
            ("x-ümlaut", "1"),
            ("x-value", "ü"),
            ("cookie", REDACTED),
            ("X-Twice", "1"),
            ("x-twice", "2"),
            ("x-fine", "1"),
        ];
        let problems = replace(&mut endpoint, &wanted(&bad), "webhook-", &keyring()).expect_err("they are wrong");
        assert_eq!(problems.len(), 7, "{problems:?}");
        assert!(
            problems
                .iter()
                .all(|p| p.path.starts_with("headers.") && !p.is_permission)
        );
        assert!(endpoint.headers.is_empty());
    }

    #[test]
    fn names_of_secrets_are_recognised() {
        for name in ["Authorization", "cookie", "X-Api-Key", "x-auth-token", "client-secret"] {
            assert!(is_redacted(name), "{name}");
        }
        assert!(!is_redacted("x-team") && !is_redacted("accept"));
    }

    #[test]
    fn a_value_is_not_shown() {
        let (name, value) = parse_header("X-Team", "blue=1").expect("a header");
        assert_eq!((name.as_str(), value.to_str().expect("text")), ("x-team", "blue=1"));
        assert!(!format!("{value:?}").contains("blue"));
    }
}
