//! Event type filters as an endpoint states them: an exact name, a prefix wildcard, or all. Which types exist, and who
//! may ask for them, is decided elsewhere.

use std::{fmt, sync::Arc};

/// Longest filter, in bytes.
pub const MAX_BYTES: usize = 128;

/// One filter of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Filter {
    /// This type alone.
    Exact(Arc<str>),
    /// Every type that begins with this and a dot (`vault.ingest.*` is `Prefix("vault.ingest")`).
    Prefix(Arc<str>),
    /// `*`
    All,
}

/// Why a filter can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("a filter has 1 to {MAX_BYTES} characters")]
    Length,
    #[error(
        "a filter is a type's name, a prefix like `vault.ingest.*`, or `*`: letters, digits, `_` and `-` between single dots"
    )]
    Form,
}

impl Filter {
    /// Reads a filter; anything malformed is refused.
    ///
    /// # Errors
    /// [`Malformed`], in words for whoever wrote it.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() || text.len() > MAX_BYTES {
            return Err(Malformed::Length);
        }
        if text == "*" {
            return Ok(Self::All);
        }
        let (name, is_prefix) = match text.strip_suffix(".*") {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        if !is_type_name(name) {
            return Err(Malformed::Form);
        }
        Ok(if is_prefix {
            Self::Prefix(name.into())
        } else {
            Self::Exact(name.into())
        })
    }

    /// Whether the filter names this type; scopes are not its business.
    #[must_use]
    pub fn covers(&self, event_type: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *event_type,
            Self::Prefix(prefix) => event_type
                .strip_prefix(&**prefix)
                .is_some_and(|rest| rest.starts_with('.')),
            Self::All => true,
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Prefix(prefix) => write!(f, "{prefix}.*"),
            Self::All => f.write_str("*"),
        }
    }
}

/// Whether `name` can be an event type's: segments of letters, digits, `_` and `-`, parted by single dots.
#[must_use]
pub fn is_type_name(name: &str) -> bool {
    name.split('.').all(|segment| {
        !segment.is_empty()
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_three_kinds() {
        for text in [
            "vault.ingest.completed",
            "vault.ingest.*",
            "cases.*",
            "*",
            "assignments.billing-details.*",
        ] {
            assert_eq!(Filter::parse(text).expect("well-formed").to_string(), text);
        }
        assert_eq!(Filter::parse("vault.*"), Ok(Filter::Prefix("vault".into())));
    }

    #[test]
    fn refuses_what_is_malformed() {
        let long = "a".repeat(129);
        for text in [
            "",
            "**",
            ".*",
            "*.completed",
            "vault*",
            "vault.*.done",
            "vault..x",
            ".vault",
            "vault.",
            "a b",
            &long,
        ] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_prefix_ends_at_a_dot() {
        let filter = Filter::parse("vault.ingest.*").expect("well-formed");
        assert!(filter.covers("vault.ingest.completed") && filter.covers("vault.ingest.a.b"));
        assert!(!filter.covers("vault.ingest") && !filter.covers("vault.ingestion.x") && !filter.covers("vault"));
    }
}
