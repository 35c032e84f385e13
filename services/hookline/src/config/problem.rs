//! What is wrong with a configuration: everything at once, each with where it was written. A value is repeated only
//! where it can't be a secret.

use std::fmt;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Key, variable or file.
    pub at: String,
    pub message: String,
}

impl Problem {
    pub fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            message: message.into(),
        }
    }
}

/// All mistakes of a configuration, never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        write!(
            f,
            "the configuration has {count} {noun}; correct it, then try `hookline config check`"
        )?;
        for problem in &self.0 {
            write!(f, "\n  {}: {}", problem.at, problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Of `known`, the one that takes the fewest changes.
pub fn nearest(written: &str, known: impl Iterator<Item = String>) -> String {
    known
        .min_by_key(|name| strsim::damerau_levenshtein(written, name))
        .unwrap_or_default()
}
