//! One event type, or one open family of types.

use crate::{contract::Contract, formats::is_type_name};
use schemas::EventType;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// Whether a type's contract binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stability {
    /// An event that breaks the contract is rejected.
    Stable,
    /// A mismatch is counted, the event delivered.
    Beta,
}

impl Stability {
    /// `stable` or `beta`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Beta => "beta",
        }
    }
}

/// What an event is about, for resource scopes. The catalog's word decides, not the data's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    Vault,
    Matter,
}

impl Resource {
    /// `vault` or `matter`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Matter => "matter",
        }
    }
}

/// A type, or an open family (`open_family`, name ending in `.*`): any type below it.
#[derive(Debug)]
pub struct TypeInfo {
    pub name: String,
    pub stability: Stability,
    /// What a key needs to receive it; `None`: nothing.
    pub required_scope: Option<String>,
    pub resource: Option<Resource>,
    pub description: String,
    /// `None`: every tenant's.
    pub catalog: Option<String>,
    pub open_family: bool,
    contract: Contract,
}

/// A type that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event type `{name}`: {message}")]
pub struct CatalogError {
    pub name: String,
    pub message: String,
}

/// A type as the files in `schemas/catalogs/` have it.
#[derive(Deserialize)]
pub(super) struct FileType {
    #[serde(rename = "type")]
    name: String,
    stability: Stability,
    required_scope: Option<String>,
    resource: Option<Resource>,
    description: String,
    #[serde(default)]
    open_family: bool,
    payload_schema: Value,
}

impl TypeInfo {
    pub(super) fn from_file(catalog: &str, of: FileType) -> Self {
        Self {
            name: of.name,
            stability: of.stability,
            required_scope: of.required_scope,
            resource: of.resource,
            description: of.description,
            catalog: Some(catalog.to_owned()),
            open_family: of.open_family,
            contract: Contract::new(of.payload_schema),
        }
    }

    /// The payload's JSON Schema.
    pub fn schema(&self) -> &Value {
        self.contract.schema()
    }

    /// Whether its contract binds.
    pub fn is_stable(&self) -> bool {
        self.stability == Stability::Stable
    }

    /// Whether a key, or an endpoint made by a key, with these scopes may receive it.
    pub fn is_allowed<S: AsRef<str>>(&self, scopes: &[S]) -> bool {
        self.required_scope
            .as_deref()
            .is_none_or(|scope| scopes.iter().any(|s| s.as_ref() == scope))
    }

    /// Whether a tenant with these catalogs has it.
    pub fn is_in(&self, tenant_catalogs: &[String]) -> bool {
        self.catalog
            .as_ref()
            .is_none_or(|catalog| tenant_catalogs.contains(catalog))
    }

    /// Id of the vault or matter that an event of this type is about: `data.vaultId` or `data.matterId`, as the catalog
    /// says. `None` when the type has no resource, whatever the data holds.
    pub fn resource_id(&self, data: &RawValue) -> Option<(Resource, String)> {
        #[derive(Deserialize)]
        struct Ids<'a> {
            #[serde(borrow, rename = "vaultId")]
            vault: Option<&'a RawValue>,
            #[serde(borrow, rename = "matterId")]
            matter: Option<&'a RawValue>,
        }
        let resource = self.resource?;
        if !data.get().starts_with('{') {
            return None;
        }
        let ids: Ids<'_> = serde_json::from_str(data.get()).ok()?;
        let id = match resource {
            Resource::Vault => ids.vault,
            Resource::Matter => ids.matter,
        };
        serde_json::from_str(id?.get()).ok().map(|id| (resource, id))
    }

    pub(crate) fn contract(&self) -> &Contract {
        &self.contract
    }
}

impl TryFrom<&EventType> for TypeInfo {
    type Error = CatalogError;

    /// A type as an operator added it, with its schema compiled: what the clerk checks before it accepts one.
    fn try_from(of: &EventType) -> Result<Self, CatalogError> {
        let error = |message: String| CatalogError {
            name: of.name.clone(),
            message,
        };
        if !is_type_name(&of.name) {
            return Err(error(
                "the name must be letters, digits, `_` and `-` joined by dots, at most 128".to_owned(),
            ));
        }
        let stability = match of.stability.as_str() {
            "stable" => Stability::Stable,
            "beta" => Stability::Beta,
            other => {
                return Err(error(format!("stability `{other}` is not known; use stable or beta")));
            }
        };
        let resource = match of.resource.as_deref() {
            None => None,
            Some("vault") => Some(Resource::Vault),
            Some("matter") => Some(Resource::Matter),
            Some(other) => {
                return Err(error(format!("resource `{other}` is not known; use vault or matter")));
            }
        };
        let schema = serde_json::from_str(&of.payload_schema)
            .map_err(|e| error(format!("the payload schema is not JSON: {e}")))?;
        let contract = Contract::new(schema);
        contract
            .compiled()
            .map_err(|e| error(format!("the payload schema is unusable: {e}")))?;
        Ok(Self {
            name: of.name.clone(),
            stability,
            required_scope: of.required_scope.clone(),
            resource,
            description: of.description.clone(),
            catalog: of.catalog.clone(),
            open_family: false,
            contract,
        })
    }
}
