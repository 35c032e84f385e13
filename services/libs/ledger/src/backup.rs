//! Backup of the configuration: an export of the ledger as JSON lines, and its import into this or another installation.
//!
//! A first line says what it is, each further one holds an entity (tenants, event types, keys, endpoints), and a last one
//! says how many there were, so that a file that broke off is never taken for a whole one. Secrets stay encrypted, with
//! the keys of `secrets.key`; ids are kept. Versions, numbers of dedicated topics and schemas are each installation's own,
//! jobs are work and no configuration, and a deleted endpoint is gone: none of these is in it.

mod form;
mod restore;

use crate::{
    Entity, Error, Keyring, Kind, View, WriteError, entities::is_deleted, open_headers, open_signing_keys,
    open_signing_secrets,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub use restore::import;

/// Of the lines' form. One that is read by an older version, and lost something there, would be another.
const FORMAT: i64 = 1;
const MARK: &str = "hookline_ledger";

/// An import's options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Overwrite what differs, instead of refusing all of it.
    pub replace: bool,
    /// Only count.
    pub dry_run: bool,
}

/// What an import did, or would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    pub created: usize,
    pub replaced: usize,
    pub unchanged: usize,
}

/// An entity that can't be imported, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// `<kind>/<id>`
    pub key: String,
    pub reason: String,
}

/// Why an export can't be read, or not be imported.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("this is no export of a ledger: {0}")]
    NotOne(String),
    #[error("line {line}: {reason}")]
    Line { line: usize, reason: String },
    #[error("the export breaks off: its last line is missing; nothing was imported, make the export again")]
    BrokenOff,
    /// Nothing was imported.
    #[error("nothing was imported: {}", listed(.0))]
    Conflicts(Vec<Conflict>),
    #[error("{key}: {source}; what was imported before stays, running it again goes on with the rest")]
    Write { key: String, source: WriteError },
    #[error(transparent)]
    Ledger(#[from] Error),
}

impl BackupError {
    /// True when the same call may succeed later without anybody's help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Write { source, .. } => source.is_retryable(),
            Self::Ledger(error) => error.is_retryable(),
            Self::NotOne(_) | Self::Line { .. } | Self::BrokenOff | Self::Conflicts(_) => false,
        }
    }
}

/// The first of them, and how many there are.
fn listed(conflicts: &[Conflict]) -> String {
    const SHOWN: usize = 10;
    let shown = conflicts.iter().take(SHOWN);
    let shown: Vec<_> = shown
        .map(|Conflict { key, reason }| format!("{key} {reason}"))
        .collect();
    let more = conflicts.len().saturating_sub(SHOWN);
    let more = if more > 0 {
        format!("; and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", shown.join("; "))
}

/// The lines of an export of this view, without their ends.
pub fn export(view: &View, now_ms: i64) -> impl Iterator<Item = String> {
    let tenants = view.tenants().map(|e| (e.version, Entity::Tenant(e.entity.clone())));
    let types = view
        .event_types()
        .map(|e| (e.version, Entity::EventType(e.entity.clone())));
    let keys = view.tenants().flat_map(|tenant| view.keys_of(&tenant.id));
    let keys = keys.map(|e| (e.version, Entity::Key(e.entity.clone())));
    let endpoints = view.endpoints().filter(|e| !is_deleted(e));
    let endpoints = endpoints.map(|e| (e.version, Entity::Endpoint(e.entity.clone())));
    let installation = view.installation().map(|installation| installation.incarnation.clone());
    let first = json!({
        MARK: FORMAT,
        "exported_at": runtime::clock::rfc3339(now_ms),
        "installation": installation,
        "position": view.position(),
    });
    let mut count = 0_usize;
    let all: Vec<_> = tenants.chain(types).chain(keys).chain(endpoints).collect();
    let mut lines = all.into_iter();
    let mut ended = false;
    std::iter::once(first.to_string()).chain(std::iter::from_fn(move || {
        if let Some((version, entity)) = lines.next() {
            count += 1;
            return Some(form::line(version, &entity).to_string());
        }
        let last = json!({ "end": true, "entities": count });
        (!std::mem::replace(&mut ended, true)).then(|| last.to_string())
    }))
}

/// An export that was read and is whole.
#[derive(Debug, Clone)]
pub struct Backup {
    /// In the order in which they can be made: tenants first.
    entities: Vec<Entity>,
}

impl Backup {
    /// Reads an export and checks each entity by itself.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(text: &str) -> Result<Self, BackupError> {
        let mut lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(index, line)| (index + 1, line));
        let (number, first) = lines.next().ok_or_else(|| BackupError::NotOne("it is empty".into()))?;
        check_first(&object(number, first)?)?;
        let (mut entities, mut keys) = (Vec::new(), BTreeSet::new());
        for (number, line) in lines.by_ref() {
            let wrong = |reason: String| BackupError::Line { line: number, reason };
            let line = object(number, line)?;
            if line.contains_key("end") {
                if line.get("entities").and_then(Value::as_u64) != Some(entities.len() as u64) {
                    return Err(wrong(format!(
                        "{} entities stand before it, which is not what it says",
                        entities.len()
                    )));
                }
                return match lines.next() {
                    None => Ok(Self::ordered(entities)),
                    Some((line, _)) => Err(BackupError::Line {
                        line,
                        reason: "it stands after the end".into(),
                    }),
                };
            }
            let entity = form::read(line).map_err(wrong)?;
            if !keys.insert(key_of(&entity)) {
                return Err(wrong(format!("{} is given twice", key_of(&entity))));
            }
            entities.push(entity);
        }
        Err(BackupError::BrokenOff)
    }

    fn ordered(mut entities: Vec<Entity>) -> Self {
        entities.sort_by_key(|entity| rank(entity.kind()));
        Self { entities }
    }

    /// How many entities it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entities.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    /// Whether this keyring opens every secret in it: else its endpoints could be imported, but nothing delivered.
    ///
    /// # Errors
    /// Those whose secrets it doesn't open.
    pub fn check_secrets(&self, keyring: &Keyring) -> Result<(), BackupError> {
        let mut closed = Vec::new();
        for entity in &self.entities {
            if let Entity::Endpoint(endpoint) = entity {
                // Before any expiry: all of them.
                let opened = open_signing_secrets(endpoint, keyring, i64::MIN)
                    .and_then(|_| open_signing_keys(endpoint, keyring, i64::MIN))
                    .and_then(|_| open_headers(endpoint, keyring));
                if let Err(error) = opened {
                    closed.push(Conflict {
                        key: key_of(entity),
                        reason: format!("has secrets that don't open: {error}"),
                    });
                }
            }
        }
        if closed.is_empty() {
            Ok(())
        } else {
            Err(BackupError::Conflicts(closed))
        }
    }
}

fn check_first(line: &Map<String, Value>) -> Result<(), BackupError> {
    match line.get(MARK).map(Value::as_i64) {
        Some(Some(FORMAT)) => Ok(()),
        Some(_) => Err(BackupError::NotOne(format!(
            "its format is {}, and this version reads {FORMAT}: use the version that made it",
            line[MARK]
        ))),
        None => Err(BackupError::NotOne(format!("its first line has no `{MARK}`"))),
    }
}

fn object(number: usize, line: &str) -> Result<Map<String, Value>, BackupError> {
    serde_json::from_str(line).map_err(|error| match number {
        1 => BackupError::NotOne(format!("its first line is no JSON object: {error}")),
        line => BackupError::Line {
            line,
            reason: format!("no JSON object: {error}"),
        },
    })
}

fn key_of(entity: &Entity) -> String {
    entity.kind().key(entity.id())
}

/// What others rest on comes first.
fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::Tenant => 0,
        Kind::EventType => 1,
        Kind::Key => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests;
