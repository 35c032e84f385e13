//! What is wrong with wanted settings.

/// One thing that is wrong. It says nothing of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// The setting, by the HTTP contract's name, such as `eventTypeFilters[2]`.
    pub path: String,
    pub message: String,
    /// The scopes are what is wrong, not the setting: 403 in the API.
    pub is_permission: bool,
}

impl Problem {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
            is_permission: false,
        }
    }
}
