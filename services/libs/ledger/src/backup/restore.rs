//! Importing: everything is compared first, so that a conflict is found before anything is written.

use super::{Backup, BackupError, Conflict, ImportOptions, Imported, key_of};
use crate::{Entity, Ledger, View, Writer, entities::is_deleted};
use futures::future::try_join_all;
use schemas::{ApiKey, Endpoint, EventType, Tenant};

/// Changes asked for at once: the clerk decides them in one batch.
const AT_ONCE: usize = 32;

/// One change, and the version that the entity must have: 0, it must not exist.
pub(super) struct Step {
    entity: Entity,
    expected_version: i64,
}

/// Makes every entity that is missing here; one that differs is a conflict, or is overwritten with
/// [`ImportOptions::replace`]. What is here and not in the backup stays. `progress` is told how many of how many changes
/// were made.
///
/// # Errors
/// [`BackupError::Conflicts`]: nothing was changed. Other errors: running it again goes on.
pub async fn import(
    ledger: &Ledger,
    writer: &Writer,
    backup: &Backup,
    options: ImportOptions,
    mut progress: impl FnMut(usize, usize),
) -> Result<Imported, BackupError> {
    let view = ledger.barrier().await?;
    let (steps, imported) = plan(&view, backup, options.replace)?;
    if options.dry_run {
        return Ok(imported);
    }
    let (total, mut done) = (steps.len(), 0);
    let same_kind = |one: &Step, other: &Step| one.entity.kind() == other.entity.kind();
    for stage in steps.chunk_by(same_kind) {
        for steps in stage.chunks(AT_ONCE) {
            try_join_all(steps.iter().map(|step| Box::pin(make(writer, step)))).await?;
            done += steps.len();
            progress(done, total);
        }
    }
    Ok(imported)
}

async fn make(writer: &Writer, step: &Step) -> Result<(), BackupError> {
    let put = writer.put(step.entity.clone(), Some(step.expected_version)).await;
    put.map(drop).map_err(|source| BackupError::Write {
        key: key_of(&step.entity),
        source,
    })
}

/// What is to be done, in order.
pub(super) fn plan(view: &View, backup: &Backup, replace: bool) -> Result<(Vec<Step>, Imported), BackupError> {
    let (mut steps, mut conflicts, mut imported) = (Vec::new(), Vec::new(), Imported::default());
    for entity in &backup.entities {
        let expected_version = view.version(entity.kind(), entity.id());
        let entity = as_asked(entity);
        match difference(view, &entity) {
            Difference::Missing => imported.created += 1,
            Difference::None => {
                imported.unchanged += 1;
                continue;
            }
            Difference::Some if replace => imported.replaced += 1,
            difference => {
                conflicts.push(Conflict {
                    key: key_of(&entity),
                    reason: match difference {
                        Difference::Never(why) => why,
                        _ => "is here already and differs; overwrite what differs with `replace`, or change it by hand",
                    }
                    .to_owned(),
                });
                continue;
            }
        }
        steps.push(Step {
            entity,
            expected_version,
        });
    }
    if conflicts.is_empty() {
        Ok((steps, imported))
    } else {
        Err(BackupError::Conflicts(conflicts))
    }
}

/// How an entity stands to the one that is here.
enum Difference {
    Missing,
    None,
    Some,
    /// It can't be made equal, and why.
    Never(&'static str),
}

fn difference(view: &View, entity: &Entity) -> Difference {
    let different = |differs| if differs { Difference::Some } else { Difference::None };
    match entity {
        Entity::Tenant(wanted) => view.tenant(&wanted.id).map_or(Difference::Missing, |here| {
            different(settled_tenant(here) != settled_tenant(wanted))
        }),
        Entity::EventType(wanted) => view.event_type(&wanted.name).map_or(Difference::Missing, |here| {
            different(settled_event_type(here) != settled_event_type(wanted))
        }),
        Entity::Key(wanted) => key_difference(view, wanted),
        Entity::Endpoint(wanted) => match view.endpoint(&wanted.id) {
            None => Difference::Missing,
            Some(here) if is_deleted(here) => {
                Difference::Never("was deleted here, and an id is never used again; take it out of the export")
            }
            Some(here) if here.tenant != wanted.tenant => Difference::Never("belongs to another tenant here"),
            Some(here) if here.placement != wanted.placement => {
                Difference::Never("has another placement here, which this version can't change")
            }
            Some(here) => different(settled(here) != settled(wanted)),
        },
        Entity::Job(_) | Entity::Schema(_) | Entity::Installation(_) => Difference::None,
    }
}

fn key_difference(view: &View, wanted: &ApiKey) -> Difference {
    match (view.key(&wanted.id), view.key_by_hash(&wanted.hash)) {
        (_, Some(other)) if other.id != wanted.id => Difference::Never("is here under another id"),
        (None, _) => Difference::Missing,
        (Some(here), _) if here.tenant != wanted.tenant || here.hash != wanted.hash => {
            Difference::Never("is another key here; revoke that one first")
        }
        (Some(here), _) => {
            if *here.entity == *wanted {
                Difference::None
            } else {
                Difference::Some
            }
        }
    }
}

/// Which topic it has is decided where it is made.
fn as_asked(entity: &Entity) -> Entity {
    match entity {
        Entity::Endpoint(endpoint) if endpoint.dedicated_topic.is_some() => Entity::from(Endpoint {
            dedicated_topic: None,
            ..(**endpoint).clone()
        }),
        other => other.clone(),
    }
}

/// Without what each installation decides by itself.
fn settled(endpoint: &Endpoint) -> Endpoint {
    Endpoint {
        dedicated_topic: None,
        created_at_ms: 0,
        updated_at_ms: 0,
        ..endpoint.clone()
    }
}

fn settled_tenant(tenant: &Tenant) -> Tenant {
    Tenant {
        created_at_ms: 0,
        updated_at_ms: 0,
        ..tenant.clone()
    }
}

fn settled_event_type(event_type: &EventType) -> EventType {
    EventType {
        updated_at_ms: 0,
        ..event_type.clone()
    }
}
