//! What the operator's lists take.

use crate::page::{Cursor, Limit};
use serde::Deserialize;

/// Of lists.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    #[serde(default)]
    pub limit: Limit,
    pub cursor: Option<Cursor>,
}

impl PageQuery {
    /// The id of the last row that was shown.
    pub(super) fn from(&self) -> Option<&str> {
        self.cursor.as_ref().map(|cursor| cursor.0.as_str())
    }
}
