//! What the policy says when it refuses.

use url::ParseError;

/// The policy forbids it. The reason is for whoever set the URL: it names no address that they didn't.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Denied {
    pub reason: String,
    pub(crate) rule: Rule,
}

/// What was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// It is no URL.
    Url,
    Scheme,
    UserInfo,
    Port,
    /// It names no host that can be read.
    Host,
    /// A literal address.
    Address,
    /// A name with a forbidden address.
    Name,
}

impl Denied {
    pub(crate) fn new(rule: Rule, reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            rule,
        }
    }

    pub(crate) fn unreadable(error: ParseError) -> Self {
        let rule = match error {
            ParseError::InvalidPort => Rule::Port,
            ParseError::EmptyHost
            | ParseError::IdnaError
            | ParseError::InvalidIpv4Address
            | ParseError::InvalidIpv6Address
            | ParseError::InvalidDomainCharacter => Rule::Host,
            _ => Rule::Url,
        };
        Self::new(rule, format!("this is not a URL: {error}"))
    }

    /// What was broken, as one of few words that never change: `url`, `scheme`, `userinfo`, `port`, `host`, `address`
    /// or `name`. It is the label of `hookline_egress_denied_total`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.rule {
            Rule::Url => "url",
            Rule::Scheme => "scheme",
            Rule::UserInfo => "userinfo",
            Rule::Port => "port",
            Rule::Host => "host",
            Rule::Address => "address",
            Rule::Name => "name",
        }
    }
}
