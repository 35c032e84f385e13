//! Endpoint filters: their grammar, and what a key may ask for when an endpoint is made or changed.
//!
//! Deliberately not here: matching many endpoints at once (`delivery-core` keeps an index).

use crate::{catalog::Catalogs, formats::is_type_name};
use std::{fmt, str::FromStr};

/// Most filters of an endpoint.
pub const MAX_FILTERS: usize = 100;
/// Longest filter.
pub const MAX_FILTER_CHARS: usize = 128;

/// Which types an endpoint wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Filter {
    /// This type.
    Exact(String),
    /// `vault.ingest.*`: every type that begins with this text, which ends in a dot.
    Prefix(String),
    /// `*`: every type that the key may receive.
    All,
}

impl Filter {
    /// Whether a type passes, scopes aside.
    pub fn matches(&self, event_type: &str) -> bool {
        match self {
            Self::Exact(name) => name == event_type,
            Self::Prefix(prefix) => event_type.len() > prefix.len() && event_type.starts_with(prefix.as_str()),
            Self::All => true,
        }
    }

    /// Whether it covers only what the key's scopes allow, instead of being refused without them.
    pub fn is_wildcard(&self) -> bool {
        !matches!(self, Self::Exact(_))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::All => f.write_str("*"),
        }
    }
}

impl FromStr for Filter {
    type Err = FilterError;
    fn from_str(text: &str) -> Result<Self, FilterError> {
        if text == "*" {
            return Ok(Self::All);
        }
        let (name, is_prefix) = text.strip_suffix(".*").map_or((text, false), |prefix| (prefix, true));
        if text.len() > MAX_FILTER_CHARS || !is_type_name(name) {
            return Err(FilterError::Malformed(text.chars().take(MAX_FILTER_CHARS).collect()));
        }
        Ok(if is_prefix {
            Self::Prefix(format!("{name}."))
        } else {
            Self::Exact(name.to_owned())
        })
    }
}

/// Why filters are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error("give at least one filter; `*` is every type that the key may receive")]
    None,
    #[error("at most {MAX_FILTERS} filters, not {0}")]
    TooMany(usize),
    #[error(
        "filter `{0}` is malformed; use a type, a prefix such as `vault.ingest.*`, or `*`, at most {MAX_FILTER_CHARS} characters"
    )]
    Malformed(String),
    #[error("`{0}` is not a type of this tenant's catalogs")]
    UnknownType(String),
    #[error("`{filter}` needs a key with the scope `{scope}`")]
    ScopeMissing { filter: String, scope: String },
}

impl FilterError {
    /// Whether the key is what is wrong (403), not the request (400).
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::ScopeMissing { .. })
    }
}

/// A refusal and the position of the filter in the list; `None` for the list as a whole.
pub type FilterRefusal = (Option<usize>, FilterError);

/// Checks the filters of an endpoint that a key with these scopes makes or changes, for a tenant that has these catalogs.
/// Reports everything that is wrong.
pub fn validate<S: AsRef<str>>(
    filters: &[String],
    catalogs: &Catalogs,
    tenant_catalogs: &[String],
    key_scopes: &[S],
) -> Result<Vec<Filter>, Vec<FilterRefusal>> {
    if filters.is_empty() {
        return Err(vec![(None, FilterError::None)]);
    }
    if filters.len() > MAX_FILTERS {
        return Err(vec![(None, FilterError::TooMany(filters.len()))]);
    }
    let mut accepted = Vec::with_capacity(filters.len());
    let mut refused = Vec::new();
    for (index, text) in filters.iter().enumerate() {
        match validate_one(text, catalogs, tenant_catalogs, key_scopes) {
            Ok(filter) => accepted.push(filter),
            Err(error) => refused.push((Some(index), error)),
        }
    }
    if refused.is_empty() { Ok(accepted) } else { Err(refused) }
}

fn validate_one<S: AsRef<str>>(
    text: &str,
    catalogs: &Catalogs,
    tenant_catalogs: &[String],
    key_scopes: &[S],
) -> Result<Filter, FilterError> {
    let filter: Filter = text.parse()?;
    if let Filter::Exact(name) = &filter {
        let info = catalogs
            .find(tenant_catalogs, name)
            .ok_or_else(|| FilterError::UnknownType(name.clone()))?;
        if let Some(scope) = info.required_scope.as_ref().filter(|_| !info.is_allowed(key_scopes)) {
            return Err(FilterError::ScopeMissing {
                filter: name.clone(),
                scope: scope.clone(),
            });
        }
    }
    Ok(filter)
}

#[cfg(test)]
mod tests;
