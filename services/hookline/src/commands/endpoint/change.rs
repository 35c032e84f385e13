//! Changing an endpoint that others may be changing too, and what its change is judged by.

use crate::connect::Direct;
use crate::failure::Usage;
use anyhow::{Context as _, bail};
use event_model::Catalogs;
use ledger::entities::is_deleted;
use ledger::{Entity, View, WriteError};
use schemas::Endpoint;

/// Tries while others change the same endpoint.
const TRIES: usize = 10;

/// Changes an endpoint as it is now; when somebody else was faster, changes what they made of it. Its new version.
pub async fn endpoint(
    direct: &Direct,
    id: &str,
    change: impl Fn(&Endpoint) -> anyhow::Result<Endpoint>,
) -> anyhow::Result<i64> {
    let mut view = direct.ledger.view();
    for _ in 0..TRIES {
        let endpoint = view.endpoint(id).filter(|endpoint| !is_deleted(endpoint));
        let endpoint = endpoint.with_context(|| none_such(id))?;
        let changed = Entity::from(change(endpoint)?);
        match direct.writer.put(changed, Some(endpoint.version)).await {
            Ok(version) => return Ok(version),
            Err(WriteError::Conflict { .. }) => view = direct.ledger.barrier().await?,
            Err(error) => return Err(error.into()),
        }
    }
    bail!("endpoint {id} is being changed by others all the time; try again")
}

pub fn none_such(id: &str) -> String {
    format!("there is no endpoint {id}; `hookline endpoint list --direct` shows those that there are")
}

/// The catalogs, with the types that operators added.
pub fn catalogs(view: &View) -> Catalogs {
    let added: Vec<_> = view.event_types().collect();
    let (catalogs, errors) = Catalogs::with_added(added.iter().map(|event_type| event_type.entity.as_ref()));
    for error in errors {
        eprintln!("note: {error}");
    }
    catalogs
}

/// Refuses a scope that no type needs: misspelt, it would cover nothing without a word.
pub fn require_known_scopes(catalogs: &Catalogs, scopes: &[String]) -> anyhow::Result<()> {
    let every: Vec<_> = schemas::catalogs::all()
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let known = all_scopes(catalogs, &every);
    match scopes.iter().find(|scope| !known.contains(scope)) {
        None => Ok(()),
        Some(unknown) => Err(Usage::error(format!(
            "--scopes: there is no scope `{unknown}`; use {}",
            known.join(", ")
        ))),
    }
}

/// Every scope that a type of these catalogs needs.
pub fn all_scopes(catalogs: &Catalogs, tenant_catalogs: &[String]) -> Vec<String> {
    let mut scopes: Vec<_> = catalogs
        .list(tenant_catalogs)
        .iter()
        .filter_map(|info| info.required_scope.clone())
        .collect();
    scopes.sort();
    scopes.dedup();
    scopes
}
