//! The catalogs of event types: the built-in ones and the types that operators add. What a type is, and which type a
//! tenant's event has.
//!
//! Deliberately not here: the catalogs' data (`schemas`) and where added types are kept (`ledger`).

mod builtin;
mod type_info;

use schemas::EventType;
use std::{collections::HashMap, sync::Arc};

pub use type_info::{CatalogError, Resource, Stability, TypeInfo};

/// All known types. Cheap enough to make anew whenever an operator adds a type; compiled contracts are kept.
#[derive(Debug, Clone, Default)]
pub struct Catalogs {
    /// By name (`cases.tasks.*` for a family); of one name, what was added last comes first.
    types: HashMap<String, Vec<Arc<TypeInfo>>>,
}

impl Catalogs {
    /// The catalogs that every installation has: `platform`, `case_events`, `cases`.
    pub fn builtin() -> Self {
        let mut catalogs = Self::default();
        for info in builtin::all() {
            catalogs.add(info.clone());
        }
        catalogs
    }

    /// The built-in catalogs with the types that operators added layered over them. A type that can't be used is left
    /// out and reported, so that one mistake doesn't hide the others.
    pub fn with_added<'a>(added: impl IntoIterator<Item = &'a EventType>) -> (Self, Vec<CatalogError>) {
        let mut catalogs = Self::builtin();
        let mut errors = Vec::new();
        for event_type in added {
            match TypeInfo::try_from(event_type) {
                Ok(info) => catalogs.add(Arc::new(info)),
                Err(error) => errors.push(error),
            }
        }
        (catalogs, errors)
    }

    /// Layers one more type over the others.
    pub fn add(&mut self, info: Arc<TypeInfo>) {
        self.types.entry(info.name.clone()).or_default().insert(0, info);
    }

    /// The type of this name, for a tenant that has these catalogs: an exact type, else the open family that it lies below.
    pub fn find(&self, tenant_catalogs: &[String], event_type: &str) -> Option<&Arc<TypeInfo>> {
        if event_type.ends_with('*') {
            return None;
        }
        let exact = self.of_name(tenant_catalogs, event_type);
        let mut below = event_type;
        exact.or_else(|| {
            while let Some((family, _)) = below.rsplit_once('.') {
                let found = self.of_name(tenant_catalogs, &format!("{family}.*"));
                if found.is_some() {
                    return found;
                }
                below = family;
            }
            None
        })
    }

    /// Every type and family of a tenant that has these catalogs, by name.
    pub fn list(&self, tenant_catalogs: &[String]) -> Vec<&Arc<TypeInfo>> {
        let mut types: Vec<_> = self
            .types
            .keys()
            .filter_map(|name| self.of_name(tenant_catalogs, name))
            .collect();
        types.sort_by(|a, b| a.name.cmp(&b.name));
        types
    }

    fn of_name(&self, tenant_catalogs: &[String], name: &str) -> Option<&Arc<TypeInfo>> {
        self.types.get(name)?.iter().find(|info| info.is_in(tenant_catalogs))
    }
}

#[cfg(test)]
mod tests;
