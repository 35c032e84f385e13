//! What can go wrong with the database.

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("history.url {0}")]
    Url(String),
    #[error("the history's database can't be used: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the history's database did not answer for a minute; check it and the network")]
    Silent,
    #[error(
        "the database of history.url holds the history of another installation ({found}); give this one another database, \
         or delete that one: it is made again from the log"
    )]
    OtherInstallation { found: String },
    #[error(
        "the database of history.url was made by a newer version (tables {found}, this one knows {known}); upgrade"
    )]
    Newer { found: i64, known: i64 },
    #[error("another process projects partition {partition} of the log")]
    Overtaken { partition: i32 },
    #[error("the history has no tables yet: no process with the role history has run with this history.url")]
    NoTables,
    #[error("a row of the history can't be read: {0}")]
    Row(String),
}

impl Error {
    /// True when the same call may succeed later without anybody's help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Database(error) => !matches!(error, sqlx::Error::Configuration(_)),
            Self::Silent | Self::Overtaken { .. } | Self::NoTables => true,
            Self::Url(_) | Self::OtherInstallation { .. } | Self::Newer { .. } | Self::Row(_) => false,
        }
    }
}
